"""Augmentation: each transformation against Pillow or numpy, and nothing but a sample's own numbers decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats
from torchvision.transforms.v2 import functional as tv

from vitrail.core.errors import ConfigError
from vitrail.core.seeding import Stream, uniform
from vitrail.data.augment import Augment, AugmentConfig, crop_boxes
from vitrail.data.dataset import Traits
from vitrail.data.randaugment import RandAugmentConfig

CROP_AREA, CROP_RATIO, CROP_TOP, CROP_LEFT, FLIP, TURN, ZOOM, RIGHT, DOWN, SHEAR, BRIGHT, CONTRAST = range(12)
ERASE, ERASE_AREA, ERASE_RATIO, ERASE_TOP, ERASE_LEFT = range(12, 17)

PHOTOS = Traits()
EVERYTHING = AugmentConfig(
    crop_scale=(0.3, 1.0), flip=True, rotate=20, zoom=0.2, shift=0.2, shear=0.2, brightness=0.3, contrast=0.3,
    rand=RandAugmentConfig(operations=3), erase=0.5,
)  # fmt: skip


def noise(batch: int = 3, height: int = 8, width: int = 8, channels: int = 3) -> torch.Tensor:
    generator = np.random.default_rng(7)
    return torch.from_numpy(generator.integers(0, 256, (batch, height, width, channels), dtype=np.uint8))


def smooth(height: int, width: int) -> torch.Tensor:
    """One image without sharp edges, so that resampling twice differs little from resampling once."""
    small = np.random.default_rng(3).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return torch.from_numpy(np.array(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)))[None]


def planes(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.permute(0, 3, 1, 2).float() / 255


def drawn(config: AugmentConfig, batch: int = 1, **chosen: float) -> np.ndarray:
    """Numbers that do nothing, but for those named: 0 … 1, where ½ is the middle."""
    numbers = np.full((batch, config.draws), 0.5)
    for name, value in chosen.items():
        numbers[:, globals()[name]] = value
    return numbers


def vary(config: AugmentConfig, pixels: torch.Tensor, traits: Traits = PHOTOS, **chosen: float) -> torch.Tensor:
    numbers = drawn(config, len(pixels), **chosen)
    return Augment(config, traits, tuple(pixels.shape[1:3]))(pixels, numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [1, 3])
def test_by_default_nothing_changes(channels: int) -> None:
    config, pixels = AugmentConfig(), noise(channels=channels)
    numbers = uniform(0, Stream.AUGMENT, 0, range(3), config.draws)

    assert torch.equal(Augment(config, Traits(), (8, 8))(pixels, numbers), planes(pixels))


@pytest.mark.parametrize("config", [AugmentConfig(rotate=30, zoom=0.3, shift=0.3, shear=0.3), EVERYTHING])
def test_numbers_in_the_middle_change_nothing(config: AugmentConfig) -> None:
    """The middle of every range is no turn, no shift, no zoom; layers get the identity, the crop the whole image."""
    pixels, numbers = noise(), drawn(config, 3, CROP_AREA=1.0)
    numbers[:, 17::2] = 5.5 / 14
    assert torch.allclose(Augment(config, Traits(), (8, 8))(pixels, numbers), planes(pixels), atol=1e-6)


@pytest.mark.parametrize(
    ("allowed", "number", "flipped"), [(True, 0.49, True), (True, 0.5, False), (False, 0.1, False)]
)
def test_flip_where_the_data_allow_it(allowed: bool, number: float, flipped: bool) -> None:
    pixels = noise(width=6)
    expected = np.stack([np.asarray(Image.fromarray(one.numpy()).transpose(0)) for one in pixels])
    out = vary(AugmentConfig(flip=True), pixels, Traits(flip=allowed), FLIP=number)

    assert torch.allclose(out, planes(torch.from_numpy(expected)) if flipped else planes(pixels), atol=1e-5)


def test_half_are_flipped() -> None:
    pixels = torch.zeros(2000, 1, 2, 1, dtype=torch.uint8)
    pixels[:, :, 1] = 255
    out = Augment(AugmentConfig(flip=True), Traits(), (1, 2))(pixels, uniform(0, Stream.AUGMENT, 0, range(2000), 17))

    assert abs(float((out[:, 0, 0, 0] > 0.5).float().mean()) - 0.5) < 4 * (0.25 / 2000) ** 0.5


@pytest.mark.parametrize(("number", "turns"), [(1.0, 1), (0.0, -1)])
def test_a_quarter_turn(number: float, turns: int) -> None:
    pixels = noise(height=7, width=7)
    expected = np.rot90(pixels.numpy(), turns, axes=(1, 2)).copy()

    assert torch.allclose(
        vary(AugmentConfig(rotate=90), pixels, TURN=number), planes(torch.from_numpy(expected)), atol=1e-5
    )


@pytest.mark.parametrize("size", [(40, 40), (30, 60), (60, 30)])
@pytest.mark.parametrize(
    ("config", "chosen", "affine"),
    [
        (AugmentConfig(rotate=20), {"TURN": 1.0}, {"angle": -20.0}),
        (AugmentConfig(rotate=20), {"TURN": 0.25}, {"angle": 10.0}),
        (AugmentConfig(zoom=0.5), {"ZOOM": 1.0}, {"scale": 1.5}),
        (AugmentConfig(zoom=0.5), {"ZOOM": 0.25}, {"scale": 0.75}),
        (AugmentConfig(shear=0.3), {"SHEAR": 1.0}, {"shear": [np.degrees(np.arctan(0.3)), 0.0]}),
        (AugmentConfig(rotate=20, zoom=0.3), {"TURN": 0.0, "ZOOM": 1.0}, {"angle": 20.0, "scale": 1.3}),
    ],
    ids=["turn", "half turn back", "larger", "smaller", "shear", "turn and larger"],
)
def test_geometry_is_torchvisions(
    size: tuple[int, int], config: AugmentConfig, chosen: dict[str, float], affine: dict[str, Any]
) -> None:
    """In pixels, not in parts of each side: a turned square stays a square in an image that is none."""
    pixels = smooth(*size)
    given: dict[str, Any] = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **affine}
    expected = tv.affine(planes(pixels), **given, interpolation=tv.InterpolationMode.BILINEAR)
    out = vary(config, pixels, Traits(photo=False), **chosen)

    assert torch.allclose(out, expected, atol=2e-3)
    assert not torch.allclose(planes(pixels), expected, atol=2e-2)


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.5), (0.0, 0.5), (0.5, 1.0), (0.5, 0.0), (0.75, 0.25)])
def test_shift_is_a_part_of_the_side(right: float, down: float) -> None:
    """The largest shift of an 8 × 12 image is 2 × 3 pixels; what comes in is black where images are no photographs."""
    pixels = noise(height=8, width=12) // 2 + 64
    rows, columns = round((2 * down - 1) * 2), round((2 * right - 1) * 3)
    if right == 0.75:
        pixels, rows, columns = noise(height=16, width=24) // 2 + 64, -2, 3
    out = vary(AugmentConfig(shift=0.25), pixels, Traits(photo=False), RIGHT=right, DOWN=down)
    height, width = pixels.shape[1:3]
    expected = torch.zeros(3, 3, height, width)
    here = (slice(max(0, -rows), height + min(0, -rows)), slice(max(0, -columns), width + min(0, -columns)))
    there = (slice(max(0, rows), height + min(0, rows)), slice(max(0, columns), width + min(0, columns)))
    expected[..., *here] = planes(pixels)[..., *there]

    assert torch.allclose(out, expected, atol=1e-5)


def test_photographs_are_continued_by_their_reflection() -> None:
    pixels = noise(height=8, width=8)
    out = vary(AugmentConfig(shift=0.25), pixels, RIGHT=1.0)
    expected = np.pad(pixels.numpy(), ((0, 0), (0, 0), (0, 2), (0, 0)), "symmetric")[:, :, 2:]

    assert torch.allclose(out, planes(torch.from_numpy(expected.copy())), atol=1e-5)


def test_crop_takes_the_part_drawn() -> None:
    """A quarter of the area, at three quarters of the way down and at the left."""
    pixels = noise(height=16, width=32)
    config = AugmentConfig(crop_scale=(0.25, 1.0))
    out = Augment(config, Traits(), (8, 16))(pixels, drawn(config, 3, CROP_AREA=0.0, CROP_TOP=0.75, CROP_LEFT=0.0))

    assert torch.allclose(out, planes(pixels)[:, :, 6:14, :16], atol=1e-5)
    taken = Augment(config, Traits(), (16, 32), cropped=True)(pixels, drawn(config, 3, CROP_AREA=0.0))
    assert torch.equal(taken, planes(pixels)), "cropped while decoding, not again"


def test_crop_comes_first() -> None:
    """What is cropped is then flipped and turned, so that a turn is about the middle of the crop."""
    pixels, image = noise(height=16, width=32), smooth(48, 48)
    flipped = AugmentConfig(crop_scale=(0.25, 1.0), flip=True)
    numbers = drawn(flipped, 3, CROP_AREA=0.0, CROP_TOP=0.75, CROP_LEFT=0.0, FLIP=0.0)
    out = Augment(flipped, Traits(), (8, 16))(pixels, numbers)
    assert torch.allclose(out, planes(pixels)[:, :, 6:14, :16].flip(3), atol=1e-5)

    turned = AugmentConfig(crop_scale=(0.25, 1.0), rotate=90)
    numbers = drawn(turned, 1, CROP_AREA=0.0, CROP_TOP=1.0, CROP_LEFT=0.0, TURN=1.0)
    out = Augment(turned, Traits(), (24, 24))(image, numbers)
    assert torch.allclose(out, planes(image)[:, :, 24:, :24].rot90(1, dims=(2, 3)), atol=1e-5)


@given(
    low=st.floats(0.01, 0.98),
    ratio=st.floats(0.3, 1),
    stretch=st.floats(0.2, 5),
    seed=st.integers(0, 1000),
)
def test_crops_lie_inside_and_keep_their_ranges(low: float, ratio: float, stretch: float, seed: int) -> None:
    config = AugmentConfig(crop_scale=(low, 0.99), crop_ratio=ratio)
    top, left, height, width = crop_boxes(config, uniform(seed, Stream.AUGMENT, 0, range(50), 4), stretch).T
    aspects, areas = width / height * stretch, width * height

    assert min(top.min(), left.min()) >= 0
    assert max((top + height).max(), (left + width).max()) <= 1 + 1e-9
    assert aspects.min() >= ratio * (1 - 1e-9) and aspects.max() <= (1 + 1e-9) / ratio
    assert areas.max() <= 0.99 * (1 + 1e-9)
    if stretch == 1:
        assert areas.min() >= low * (1 - 1e-9)
    else:
        touching = np.maximum(height, width) > 1 - 1e-9
        assert (touching | (areas >= low * (1 - 1e-9))).all(), "smaller only where it would not fit"


def test_crops_are_spread_evenly() -> None:
    config, n = AugmentConfig(crop_scale=(0.1, 0.5)), 20_000
    top, left, height, width = crop_boxes(config, uniform(1, Stream.AUGMENT, 0, range(n), 4)).T
    area, ratio = height * width, np.log(width / height) / np.log(0.75)

    assert area.min() >= 0.1 and area.max() <= 0.5
    for values, low, high in (
        (area, 0.1, 0.5), (ratio, -1, 1), (top / (1 - height), 0, 1), (left / (1 - width), 0, 1)
    ):  # fmt: skip
        counts = np.histogram(values, bins=20, range=(low, high))[0]
        assert ((counts - n / 20) ** 2 / (n / 20)).sum() < 50, "19 degrees of freedom: 1 in 10 000"


def test_brightness_and_contrast() -> None:
    pixels = noise() // 2 + 32
    images = planes(pixels)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)

    assert torch.allclose(
        vary(AugmentConfig(brightness=0.2), pixels, BRIGHT=1.0), (images * 1.2).clamp(0, 1), atol=1e-6
    )
    assert torch.allclose(vary(AugmentConfig(brightness=0.2), pixels, BRIGHT=0.25), images * 0.9, atol=1e-6)
    darker = vary(AugmentConfig(contrast=0.4), pixels, CONTRAST=0.0)
    assert torch.allclose(darker, mean + 0.6 * (images - mean), atol=1e-6)


@pytest.mark.parametrize(("photo", "value"), [(True, 0.5), (False, 0.0)])
@pytest.mark.parametrize("channels", [1, 3])
def test_erased_rectangle(photo: bool, value: float, channels: int) -> None:
    """Area 0.02 … 0.33 of the image; the middle is 0.175, a square of side 0.418."""
    pixels = noise(height=100, width=100, channels=channels).clamp(1, 126)
    out = vary(AugmentConfig(erase=0.5), pixels, Traits(photo=photo), ERASE=0.49, ERASE_TOP=0.0, ERASE_LEFT=1.0)
    hole = (out == value).all(dim=1)

    assert hole[:, :41, 59:].all() and not hole[:, 42:].any() and not hole[:, :, :58].any()
    assert torch.equal(out.masked_fill(hole[:, None], 0), planes(pixels).masked_fill(hole[:, None], 0))
    assert torch.equal(vary(AugmentConfig(erase=0.5), pixels, ERASE=0.5), planes(pixels)), "the other half"


def test_erased_areas() -> None:
    n, config = 3000, AugmentConfig(erase=0.4)
    pixels = torch.full((n, 40, 60, 1), 255, dtype=torch.uint8)
    out = Augment(config, Traits(), (40, 60))(pixels, uniform(5, Stream.AUGMENT, 0, range(n), config.draws))
    areas = (out != 1).float().mean(dim=(1, 2, 3))
    erased = areas[areas > 0]

    assert abs(len(erased) / n - 0.4) < 4 * (0.24 / n) ** 0.5
    assert 0.015 < erased.min() < 0.03 and 0.3 < erased.max() < 0.35
    assert abs(float(erased.mean()) - 0.175) < 0.01


def test_noise_has_the_spread_of_normalised_images() -> None:
    """Normal in every pixel and channel, as timm's "pixel"; from a seed of the sample's own."""
    n, config = 200, AugmentConfig(erase=0.5, erase_fill="noise")
    mean, std = (0.2, 0.5, 0.9), (0.1, 0.2, 0.3)
    numbers, black = uniform(5, Stream.AUGMENT, 0, range(n), config.draws), torch.zeros(n, 20, 24, 3, dtype=torch.uint8)
    varied = Augment(config, Traits(), (20, 24), mean=mean, std=std)
    out = varied(black, numbers)
    hole = (out != 0).any(dim=1)
    flat = Augment(AugmentConfig(erase=0.5), Traits(), (20, 24))(black, numbers)
    assert torch.equal(hole, (flat != 0).any(dim=1)), "the same rectangles"
    for channel in range(3):
        values = (out[:, channel][hole] - mean[channel]) / std[channel]
        assert len(values) > 5000 and stats.kstest(values.numpy(), "norm").pvalue > 1e-3
    assert abs(float(torch.corrcoef(out.permute(1, 0, 2, 3)[:, hole])[0, 1])) < 0.05
    firsts = [float(image[0][place][0]) for image, place in zip(out, hole, strict=True) if place.any()]
    assert len(set(firsts)) == len(firsts), "no two images share their noise"


FROM_TIMM = replace(EVERYTHING, rand=RandAugmentConfig("timm", 2, 9, 0.5), erase_fill="noise")
FROM_BIG_VISION = replace(EVERYTHING, rand=RandAugmentConfig("big_vision", 2, 15))


@pytest.mark.parametrize("config", [FROM_TIMM, FROM_BIG_VISION], ids=["timm", "big_vision"])
def test_other_scales_do_not_depend_on_the_batch_either(config: AugmentConfig) -> None:
    pixels, numbers = noise(12, 10, 14), uniform(3, Stream.AUGMENT, 2, range(12), config.draws)
    varied = Augment(config, PHOTOS, (10, 14))
    together = varied(pixels, numbers)
    for one in range(12):
        assert torch.equal(varied(pixels[one : one + 1], numbers[one : one + 1])[0], together[one])
    assert not torch.equal(together, Augment(EVERYTHING, PHOTOS, (10, 14))(pixels, numbers))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("photo", [True, False])
def test_a_sample_does_not_depend_on_its_batch(channels: int, photo: bool) -> None:
    pixels = noise(12, 10, 14, channels)
    numbers = uniform(3, Stream.AUGMENT, 2, range(12), EVERYTHING.draws)
    numbers[4] = drawn(EVERYTHING, CROP_AREA=1.0)
    numbers[4, 17::2] = 5.5 / 14
    varied = Augment(EVERYTHING, Traits(photo=photo), (10, 14))
    together = varied(pixels, numbers)

    assert together.shape == (12, channels, 10, 14) and together.dtype == torch.float32
    assert together.min() >= 0 and together.max() <= 1
    assert torch.allclose(together[4], planes(pixels)[4], atol=1e-6)
    for one in range(12):
        assert torch.equal(varied(pixels[one : one + 1], numbers[one : one + 1])[0], together[one])
    order = np.random.default_rng(0).permutation(12)
    assert torch.equal(varied(pixels[order], numbers[order]), together[order])


def test_input_is_not_changed() -> None:
    pixels = noise()
    before, numbers = pixels.clone(), uniform(0, Stream.AUGMENT, 0, range(3), EVERYTHING.draws)
    Augment(EVERYTHING, Traits(), (8, 8))(pixels, numbers)

    assert torch.equal(pixels, before)
    assert (numbers == uniform(0, Stream.AUGMENT, 0, range(3), EVERYTHING.draws)).all()


def test_output_of_another_size() -> None:
    pixels = smooth(64, 32)
    out = Augment(AugmentConfig(), Traits(), (32, 64))(pixels, drawn(AugmentConfig()))
    expected = np.array(Image.fromarray(pixels[0].numpy()).resize((64, 32), Image.Resampling.BOX))

    assert out.shape == (1, 3, 32, 64)
    assert torch.allclose(out, planes(torch.from_numpy(expected)[None]), atol=0.05)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop_scale", (0.0, 1.0)), ("crop_scale", (0.5, 0.4)), ("crop_scale", (0.5, 1.1)), ("crop_ratio", 0.0),
        ("crop_ratio", 1.5), ("rotate", -1.0), ("shear", float("inf")), ("zoom", 1.0), ("zoom", -0.1), ("shift", 1.0),
        ("brightness", -0.1), ("contrast", 1.0), ("erase", 1.1), ("erase_fill", "black"),
    ],
)  # fmt: skip
def test_values_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        AugmentConfig(**{field: value})
