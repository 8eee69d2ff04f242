"""RandAugment: every operation against torchvision's, each sample with its own strength."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import RandAugment
from torchvision.transforms.v2 import functional as tv

from vitrail.core.seeding import Stream, uniform
from vitrail.data.augment import Augment, AugmentConfig
from vitrail.data.dataset import Traits
from vitrail.data.randaugment import COLORS, GEOMETRY, OPERATIONS, Layers, apply_colors, mean_level, plan_layers

STRENGTHS = (-1.0, -0.6, -0.1, 0.0, 0.25, 0.5, 0.8, 1.0)
LEVEL = 1 / 255


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


def apply(name: str, images: torch.Tensor) -> torch.Tensor:
    strengths = torch.tensor(STRENGTHS)[:, None, None, None]
    return COLORS[name](images.float() / 255, strengths)


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
def test_blends(name: str, reference: object, channels: int) -> None:
    """Torchvision rounds to whole levels, for contrast and sharpness twice."""
    images = pictures(channels)
    expected = [reference(one, 1 + 0.9 * s) for one, s in zip(images, STRENGTHS, strict=True)]  # type: ignore[operator]
    assert largest(name, images, expected) <= 2.5 * LEVEL

    exact = [reference(one.float() / 255, 1 + 0.9 * s) for one, s in zip(images, STRENGTHS, strict=True)]  # type: ignore[operator]
    assert float((apply(name, images) - torch.stack(exact)).abs().max()) < 1e-4


@pytest.mark.parametrize("channels", [1, 3])
def test_posterize(channels: int) -> None:
    images = pictures(channels)
    images[:, :, 0] = torch.arange(256, dtype=torch.uint8)
    bits = [8 - round(4 * abs(strength)) for strength in STRENGTHS]
    expected = [tv.posterize(one, bit) for one, bit in zip(images, bits, strict=True)]

    assert largest("posterize", images, expected) < 1e-5
    assert sorted(set(bits)) == [4, 5, 6, 7, 8]

    inverted = COLORS["posterize"](1 - images.float() / 255, torch.tensor(STRENGTHS)[:, None, None, None])
    expected = [tv.posterize(255 - one, bit) / 255 for one, bit in zip(images, bits, strict=True)]
    assert torch.allclose(inverted, torch.stack(expected), atol=1e-5), "rounding in an earlier layer moves no level"


def test_solarize() -> None:
    images = pictures()
    images[:, :, 0] = torch.arange(256, dtype=torch.uint8)
    expected = [
        tv.solarize(one / 255, 1 - abs(strength)) * 255 for one, strength in zip(images, STRENGTHS, strict=True)
    ]

    assert largest("solarize", images, expected) < 1e-6


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

    assert torch.allclose(COLORS["equalize"](images, torch.ones(1, 1, 1, 1)), expected, atol=1e-6)


@pytest.mark.parametrize("name", COLORS)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 2), (3, 1, 5)])
def test_small_and_flat_images(name: str, shape: tuple[int, int, int]) -> None:
    flat = torch.full((8, *shape), 0.4)
    strengths = torch.tensor(STRENGTHS)[:, None, None, None]
    out = COLORS[name](flat, strengths)

    assert out.shape == flat.shape and torch.isfinite(out).all() and out.min() >= 0 and out.max() <= 1
    if name in ("color", "contrast", "sharpness", "auto_contrast", "equalize", "identity"):
        assert torch.allclose(out, flat, atol=1e-5)


@pytest.mark.parametrize("name", COLORS)
def test_an_operation_is_each_samples_own(name: str) -> None:
    images = pictures(side=24).float() / 255
    strengths = torch.tensor(STRENGTHS)[:, None, None, None]
    together = COLORS[name](images, strengths)

    for one in range(8):
        assert torch.equal(COLORS[name](images[one : one + 1], strengths[one : one + 1])[0], together[one])


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


@pytest.mark.parametrize("aspect", [1.0, 2.0])
@pytest.mark.parametrize("strength", [1.0, -0.5])
@pytest.mark.parametrize("index", range(5), ids=GEOMETRY)
def test_geometry(index: int, strength: float, aspect: float) -> None:
    """The middle of the image stays where it is; ranges are those of torchvision's RandAugment."""
    width, height = int(40 * aspect), 40
    matrix = Layers(np.array([[index]]), np.array([[strength]])).geometry(1, aspect)[0]
    to_pixels = np.diag([width / 2, height / 2, 1])
    expected = np.eye(3)
    space = RandAugment._AUGMENTATION_SPACE
    names = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
    value = float(space[names[index]][0](31, height, width)[30]) * strength
    if index < 4:
        expected[((0, 1), (1, 0), (0, 2), (1, 2))[index]] = value
    else:
        turn = np.deg2rad(value)
        expected[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]

    assert np.allclose(to_pixels @ matrix @ np.linalg.inv(to_pixels), expected, atol=1e-6)


def test_layers_compose() -> None:
    layers = Layers(np.array([[4, 2, 7, 0]]), np.array([[1.0, -1.0, 1.0, 0.5]]))
    single = [
        Layers(layers.operations[:, [one]], layers.strengths[:, [one]]).geometry(1, 1.5)[0] for one in range(4)
    ]  # fmt: skip

    assert np.allclose(layers.geometry(1, 1.5)[0], single[0] @ single[1] @ single[2] @ single[3])
    assert np.allclose(single[2], np.eye(3)), "a colour operation moves nothing"


def test_plan() -> None:
    n = 14_000
    layers = plan_layers(uniform(0, Stream.AUGMENT, 0, range(n), 6), 3, 5.0)
    counts = np.bincount(layers.operations.ravel(), minlength=14)

    assert layers.operations.shape == (n, 3) == layers.strengths.shape
    assert len(OPERATIONS) == 14 and ((counts - 3000) ** 2 / 3000).sum() < 40, "13 degrees of freedom"
    assert set(np.unique(layers.strengths)) == {-0.5, 0.5}
    assert abs(layers.strengths.mean()) < 4 * 0.5 / (3 * n) ** 0.5
    assert abs(np.corrcoef(layers.operations[:, 0], layers.operations[:, 1])[0, 1]) < 4 / n**0.5
    assert np.abs(plan_layers(np.zeros((1, 2)), 1, 30.0).strengths).item() == 1
    assert plan_layers(np.zeros((5, 0)), 0, 9.0).operations.shape == (5, 0)


def test_colours_are_applied_layer_after_layer_to_those_that_drew_them() -> None:
    images = pictures(side=24).float() / 255
    operations = np.full((8, 2), OPERATIONS.index("identity"))
    operations[2] = [OPERATIONS.index("solarize"), OPERATIONS.index("brightness")]
    operations[5] = [OPERATIONS.index("brightness"), OPERATIONS.index("solarize")]
    operations[6] = [OPERATIONS.index("rotate"), OPERATIONS.index("shear_x")]
    before = images.clone()
    out = apply_colors(images, Layers(operations, np.full((8, 2), 0.5)))
    untouched = [0, 1, 3, 4, 6, 7]

    assert torch.equal(images, before) and torch.equal(out[untouched], images[untouched])
    first = tv.adjust_brightness(tv.solarize(images[2], 0.5), 1.45)
    second = tv.solarize(tv.adjust_brightness(images[5], 1.45), 0.5)
    assert torch.allclose(out[2], first, atol=1e-6) and torch.allclose(out[5], second, atol=1e-6)


def test_augment_applies_the_layers_drawn() -> None:
    config = AugmentConfig(rand_layers=1, rand_magnitude=10)
    pixels = pictures(side=24).permute(0, 2, 3, 1)
    numbers = np.full((8, config.draws), 0.5)
    numbers[:, 17] = (OPERATIONS.index("solarize") + 0.5) / 14
    numbers[4:, 17] = (OPERATIONS.index("rotate") + 0.5) / 14
    numbers[:, 18] = 0.9
    out = Augment(config, Traits(photo=False), (24, 24))(pixels, numbers)
    images = pixels.permute(0, 3, 1, 2) / 255
    turned = tv.rotate(images[4:], 30, interpolation=tv.InterpolationMode.BILINEAR)

    assert torch.allclose(out[:4], 1 - images[:4], atol=1e-6)
    assert torch.allclose(out[4:, :, 3:-3, 3:-3], turned[:, :, 3:-3, 3:-3], atol=2e-2)
