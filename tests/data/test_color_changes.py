"""Changes of colour: against torchvision's, each sample with its own amount."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as tv

from vitrail.data.color_changes import COLORS, mean_level
from vitrail.data.randaugment import SCALES

STRENGTHS = (-1.0, -0.6, -0.1, 0.0, 0.25, 0.5, 0.8, 1.0)
LEVEL = 1 / 255
MIDDLE = torch.full((8, 2), 0.5)


def pictures(channels: int = 3, side: int = 256) -> torch.Tensor:
    """Eight images, of which the first uses few levels, the second has a large flat part, the third is dark."""
    generator = np.random.default_rng(11)
    coarse = generator.integers(0, 256, (8, 9, 9, 3), dtype=np.uint8)
    images = np.stack(
        [np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC)) for one in coarse]
    )
    images = np.clip(images + generator.integers(-8, 8, images.shape), 0, 255)
    images[0] = 60 + images[0] // 4
    images[1, : side // 2] = 17
    images[2] = images[2] // 5
    return torch.from_numpy(images[..., :channels].astype(np.uint8)).permute(0, 3, 1, 2).contiguous()


def amounts(name: str, scale: str = "vitrail") -> torch.Tensor:
    """Amounts of the eight strengths, −1 … 1 for a level of 10 either way."""
    strengths = np.array(STRENGTHS)
    drawn = SCALES[scale].amounts[name](10 * np.abs(strengths), np.sign(strengths))
    return torch.from_numpy(drawn.astype(np.float32))[:, None, None, None]


def apply(name: str, images: torch.Tensor) -> torch.Tensor:
    return COLORS[name](images.float() / 255, amounts(name), MIDDLE)


def largest(name: str, images: torch.Tensor, expected: list[torch.Tensor]) -> float:
    return float((apply(name, images) - torch.stack(expected).float() / 255).abs().max())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("brightness", tv.adjust_brightness),
        ("color", tv.adjust_saturation),
        ("contrast", tv.adjust_contrast),
        ("sharpness", tv.adjust_sharpness),
    ],
)
def test_blends(name: str, reference: Callable[..., torch.Tensor], channels: int) -> None:
    """Torchvision rounds to whole levels, for contrast and sharpness twice."""
    images = pictures(channels)
    expected = [reference(one, 1 + 0.9 * s) for one, s in zip(images, STRENGTHS, strict=True)]
    assert largest(name, images, expected) <= 2.5 * LEVEL

    exact = [reference(one.float() / 255, 1 + 0.9 * s) for one, s in zip(images, STRENGTHS, strict=True)]
    assert float((apply(name, images) - torch.stack(exact)).abs().max()) < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_posterize(channels: int) -> None:
    images = pictures(channels)
    images[:, :, 0] = torch.arange(256, dtype=torch.uint8)
    bits = [8 - round(4 * abs(strength)) for strength in STRENGTHS]
    expected = [tv.posterize(one, bit) for one, bit in zip(images, bits, strict=True)]

    assert largest("posterize", images, expected) < 1e-5
    assert sorted(set(bits)) == [4, 5, 6, 7, 8]

    inverted = COLORS["posterize"](1 - images.float() / 255, amounts("posterize"), MIDDLE)
    expected = [tv.posterize(255 - one, bit) / 255 for one, bit in zip(images, bits, strict=True)]
    assert torch.allclose(inverted, torch.stack(expected), atol=1e-5), "rounding in an earlier layer moves no level"


def test_solarize_and_invert() -> None:
    images = pictures()
    images[:, :, 0] = torch.arange(256, dtype=torch.uint8)
    expected = [
        tv.solarize(one / 255, 1 - abs(strength)) * 255 for one, strength in zip(images, STRENGTHS, strict=True)
    ]

    assert largest("solarize", images, expected) < 1e-6
    inverted = COLORS["invert"](images.float() / 255, torch.ones(8, 1, 1, 1), MIDDLE)
    assert torch.allclose(inverted * 255, tv.invert(images).float(), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_auto_contrast(channels: int) -> None:
    images = pictures(channels)
    images[3] = 99
    exact = torch.stack([tv.autocontrast(one.float() / 255) for one in images])

    assert torch.allclose(apply("auto_contrast", images), exact, atol=1e-5)
    assert largest("auto_contrast", images, [tv.autocontrast(one) for one in images]) <= 1.01 * LEVEL


@pytest.mark.parametrize("channels", [1, 3])
def test_equalize(channels: int) -> None:
    """Torchvision divides by a whole number of pixels a level, which at 256 × 256 is 1 part in 128 off or less."""
    images = pictures(channels)
    images[3] = 99

    assert largest("equalize", images, [tv.equalize(one) for one in images]) <= 2.5 * LEVEL


def test_equalized_levels_are_the_part_that_is_darker() -> None:
    images = torch.tensor([10, 10, 10, 20, 30, 30, 200, 200], dtype=torch.uint8).view(1, 1, 2, 4) / 255
    expected = torch.tensor([0, 0, 0, 3, 4, 4, 6, 6]).view(1, 1, 2, 4) / 6
    equal = COLORS["equalize"](images, torch.ones(1, 1, 1, 1), MIDDLE[:1])

    assert torch.allclose(equal, expected, atol=1e-6)


ROWS = [(scale, name) for scale in SCALES for name in SCALES[scale].amounts if name in COLORS]


@pytest.mark.parametrize(("scale", "name"), ROWS)
def test_small_and_flat_images(scale: str, name: str) -> None:
    for shape in ((1, 1, 1), (3, 2, 2), (3, 1, 5)):
        flat = torch.full((8, *shape), 0.4)
        out = COLORS[name](flat, amounts(name, scale), MIDDLE)

        assert out.shape == flat.shape and torch.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
        if name in ("color", "contrast", "sharpness", "auto_contrast", "equalize", "identity"):
            assert torch.allclose(out, flat, atol=1e-5)


@pytest.mark.parametrize(("scale", "name"), ROWS)
def test_a_change_is_each_samples_own(scale: str, name: str) -> None:
    images, drawn, places = pictures(side=24).float() / 255, amounts(name, scale), torch.rand(8, 2)
    before = images.clone()
    together = COLORS[name](images, drawn, places)

    for one in (slice(index, index + 1) for index in range(8)):
        assert torch.equal(COLORS[name](images[one], drawn[one], places[one]), together[one])
    assert torch.equal(images, before), "what goes in is not changed"


def test_mean_level() -> None:
    images = pictures().float() / 255
    assert torch.allclose(mean_level(images).flatten().double(), images.double().mean(dim=(1, 2, 3)), atol=2e-6)


def test_mean_level_depends_on_the_image_alone() -> None:
    """To the last bit; the sum of floats that `Tensor.mean` takes depends on threads where one image drew contrast."""
    images = torch.rand(8, 3, 224, 224)
    threads = torch.get_num_threads()
    means = []
    for count in (1, 4):
        torch.set_num_threads(count)
        means += [mean_level(images), torch.cat([mean_level(one[None]) for one in images])]
    torch.set_num_threads(threads)
    assert all(torch.equal(mean, means[0]) for mean in means)
