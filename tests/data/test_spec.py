"""The way from a decoded image to the model's input."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.data.spec import IMAGENET_MEAN, IMAGENET_STD, ImageSpec

RESAMPLING = ("nearest", "bilinear", "bicubic", "lanczos", "box")


def noise(height: int, width: int) -> Image.Image:
    generator = np.random.default_rng(height * 1000 + width)
    return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_torch_is_not_imported() -> None:
    code = "import sys, vitrail.data.spec, vitrail.data.decode; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_survives_being_written() -> None:
    spec = ImageSpec((32, 48), (0.1,), (0.2,), "nearest", "squash", 0.9, "L")

    assert from_dict(ImageSpec, to_dict(spec)) == spec and spec.channels == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", (0, 4)), ("mean", (0.5,)), ("std", (0.5, 0.5)), ("std", (0.5, 0.5, 0.0)), ("crop_fraction", 0.0),
        ("crop_fraction", 1.1), ("std", (0.5, 0.5, float("nan"))), ("mean", (0.5, 0.5, float("nan"))),
        ("std", (0.5, 0.5, float("inf"))), ("multiple", 0), ("mode", "stretch"),
    ],
)  # fmt: skip
def test_values_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        from_dict(ImageSpec, {field: value})


def test_a_tile_that_does_not_fit_is_refused() -> None:
    assert ImageSpec((8, 30), multiple=16).multiple == 16, "without mode keep there are no tiles"
    with pytest.raises(ConfigError, match="multiple = 16"):
        ImageSpec((8, 30), mode="keep", multiple=16)


def test_a_spec_that_was_written_before_there_were_multiples() -> None:
    older = {name: value for name, value in to_dict(ImageSpec((32, 48))).items() if name != "multiple"}
    assert from_dict(ImageSpec, older) == ImageSpec((32, 48))


@pytest.mark.parametrize(("channels", "color"), [(1, "L"), (3, "RGB"), (2, "bands"), (5, "bands")])
def test_other_channels_have_the_average_mean_and_deviation(channels: int, color: str) -> None:
    spec = ImageSpec((9, 11), (0.1, 0.2, 0.3, 0.6), (0.1, 0.2, 0.3, 0.2), "box", "squash", 0.9, "bands")
    other = spec.for_channels(channels)

    assert (other.channels, other.color) == (channels, color)
    assert other.mean == (0.3,) * channels and other.std == (0.2,) * channels
    assert (other.size, other.interpolation, other.mode, other.crop_fraction) == ((9, 11), "box", "squash", 0.9)
    assert spec.for_channels(4) is spec
    with pytest.raises(ConfigError, match="in_chans = 0"):
        spec.for_channels(0)


@pytest.mark.parametrize("mode", ["crop", "squash", "keep"])
def test_an_image_of_the_right_size_is_not_touched(mode: Any) -> None:
    image = noise(9, 11)

    assert (ImageSpec((9, 11), mode=mode).pixels(image) == np.asarray(image)).all()


@pytest.mark.parametrize("interpolation", RESAMPLING)
def test_crop_is_resize_then_centre(interpolation: Any) -> None:
    image = noise(100, 200)
    resized = np.asarray(image.resize((100, 50), Image.Resampling[interpolation.upper()]))
    result = ImageSpec((50, 50), interpolation=interpolation).pixels(image)

    assert np.abs(result.astype(int) - resized[:, 25:75]).max() <= 1


def test_crop_fraction_keeps_the_centre() -> None:
    image = noise(100, 100)
    result = ImageSpec((50, 50), crop_fraction=0.5, interpolation="nearest").pixels(image)

    assert (result == np.asarray(image)[25:75, 25:75]).all()


def test_crop_of_a_tall_image_to_a_wide_one() -> None:
    pixels = np.zeros((90, 30, 3), np.uint8)
    pixels[40:50] = 200
    result = ImageSpec((10, 30), interpolation="nearest").pixels(Image.fromarray(pixels))

    assert (result == 200).all()


def test_squash_keeps_the_whole() -> None:
    pixels = np.repeat(np.arange(0, 200, 50, dtype=np.uint8), 8)[None, :, None].repeat(3, axis=0).repeat(3, axis=2)
    result = ImageSpec((5, 4), mode="squash", interpolation="box", crop_fraction=0.5).pixels(Image.fromarray(pixels))

    assert (result[..., 0] == [0, 50, 100, 150]).all()


def test_crop_keeps_the_aspect() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[20:40, 40:60] = 255
    result = ImageSpec((30, 30), interpolation="box").pixels(Image.fromarray(pixels))[..., 0] > 127

    assert result.sum(axis=0).max() == result.sum(axis=1).max() == 10


def test_colour_modes() -> None:
    image = noise(6, 6)
    grey = ImageSpec((6, 6), (0.5,), (0.5,), color="L").pixels(image)
    weights = np.asarray(image) @ np.array([0.299, 0.587, 0.114])
    assert grey.shape == (6, 6, 1) and np.abs(grey[..., 0] - weights).max() <= 1

    colour = ImageSpec((6, 6)).pixels(Image.fromarray(grey[..., 0]))
    assert colour.shape == (6, 6, 3) and (colour == grey).all()


@settings(deadline=None, max_examples=200)
@given(
    image=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    interpolation=st.sampled_from(RESAMPLING),
    mode=st.sampled_from(["crop", "squash", "keep"]),
    multiple=st.integers(1, 70),
    fraction=st.floats(0.001, 1),
)
def test_any_size_becomes_the_models(
    image: tuple[int, int], size: tuple[int, int], interpolation: Any, mode: Any, multiple: int, fraction: float
) -> None:
    flat = Image.new("RGB", image[::-1], (7, 77, 177))
    multiple = min(multiple, *size)
    spec = ImageSpec(size, interpolation=interpolation, mode=mode, crop_fraction=fraction, multiple=multiple)
    pixels = spec.pixels(flat)

    assert pixels.dtype == np.uint8 and pixels.shape == (*spec.size_for(*flat.size), 3)
    assert mode == "keep" or pixels.shape[:2] == size
    assert (pixels == [7, 77, 177]).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (2, 3)])
def test_extreme_shapes(shape: tuple[int, int]) -> None:
    for mode in ("crop", "squash"):
        spec = ImageSpec((16, 16), mode=mode, crop_fraction=0.9)  # type: ignore[arg-type]
        assert spec.pixels(Image.new("RGB", shape[::-1], (9, 9, 9))).shape == (16, 16, 3)
    pixels = ImageSpec((16, 16), mode="keep", multiple=4).pixels(Image.new("RGB", shape[::-1], (9, 9, 9)))
    expected = {(1, 1): (16, 16), (1, 10_000): (4, 64), (10_000, 1): (64, 4), (2, 3): (12, 20)}
    assert pixels.shape == (*expected[shape], 3) and (pixels == 9).all()


SIDES = st.one_of(st.integers(1, 40), st.integers(1, 10_000))


@settings(deadline=None, max_examples=500)
@given(
    width=SIDES, height=SIDES, size=st.tuples(st.integers(16, 600), st.integers(16, 600)), multiple=st.integers(1, 16)
)
def test_an_aspect_is_kept_within_the_tokens_of_the_size(
    width: int, height: int, size: tuple[int, int], multiple: int
) -> None:
    found = ImageSpec(size, mode="keep", multiple=multiple).size_for(width, height)
    rows, columns = found[0] // multiple, found[1] // multiple
    tiles = (size[0] // multiple) * (size[1] // multiple)

    assert found == (rows * multiple, columns * multiple) and rows >= 1 and columns >= 1
    assert rows * columns <= tiles
    low = max(Fraction(rows - 1, height), Fraction(columns - 1, width))
    high = min(Fraction(rows, height), Fraction(columns, width))
    assert low < high, "there is a scale at which the tiles just cover the image, so a side moves by less than a tile"
    assert (math.floor(height * high) + 1) * (math.floor(width * high) + 1) > tiles, "no larger scale fits"
    assert ImageSpec(size, mode="keep", multiple=multiple).size_for(height, width) == found[::-1]


def test_an_image_of_the_sizes_aspect_gets_the_size() -> None:
    for size in ((224, 224), (518, 518), (224, 350), (16, 160), (350, 224)):
        multiple = math.gcd(*size)
        for factor in (0.1, 1 / 3, 1, 1.7, 20):
            spec = ImageSpec(size, mode="keep", multiple=multiple)
            assert spec.size_for(size[1] * factor, size[0] * factor) == size


def test_the_size_is_that_of_naflex() -> None:
    """Equal to the size that transformers gives images of SigLIP 2; it searches to 1e-5, so ties may differ."""
    naflex = pytest.importorskip("transformers.models.siglip2.image_processing_siglip2")
    generator = np.random.default_rng(0)
    different = 0
    for _ in range(1000):
        height, width = generator.integers(20, 3000, 2).tolist()
        side, multiple = generator.integers(8, 25), int(generator.choice([8, 14, 16, 32]))
        spec = ImageSpec((int(side) * multiple,) * 2, mode="keep", multiple=multiple)
        theirs = naflex.get_image_size_for_max_num_patches(height, width, multiple, int(side) ** 2)
        ours = spec.size_for(width, height)
        different += ours != theirs
        assert ours[0] >= theirs[0] and ours[1] >= theirs[1], "their search stops below the largest scale"
    assert different <= 20


def test_the_whole_image_is_seen_at_its_own_aspect() -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[20:40, 30:60], pixels[:, :30] = 255, 100
    spec = ImageSpec((48, 48), interpolation="box", mode="keep", crop_fraction=0.5, multiple=8)
    result = spec.pixels(Image.fromarray(pixels))[..., 0]

    assert spec.seen(90, 60) == (0.0, 0.0, 90.0, 60.0)
    assert result.shape == (40, 56), "6 × 6 tiles are 36; 5 × 7 are the most of this aspect"
    assert (result[:, :18] == 100).all() and (result > 200).sum(axis=0).max() in (13, 14)
    part = spec.pixels(Image.fromarray(pixels), (0.0, 0.0, 30.0, 60.0))
    assert part.shape == (64, 32, 3) and (part == 100).all()


def test_the_spec_of_training_has_one_size() -> None:
    spec = ImageSpec((48, 64), (0.1,), (0.2,), "nearest", "keep", 0.9, "L", 16)
    assert spec.fixed == replace(spec, mode="crop") and spec.fixed.size_for(7, 900) == (48, 64)
    assert ImageSpec(mode="squash").fixed == ImageSpec(mode="squash")


def test_normalise() -> None:
    spec = ImageSpec((4, 5), IMAGENET_MEAN, IMAGENET_STD)
    batch = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), dtype=np.uint8)
    result = spec.normalise(batch)
    expected = (batch.astype(np.float64) / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)

    assert result.shape == (2, 3, 4, 5) and result.dtype == np.float32
    assert np.abs(result - expected.transpose(0, 3, 1, 2)).max() < 1e-6
    assert ImageSpec((4, 5)).normalise(np.array([[[[0, 255, 0]]]], np.uint8)).reshape(-1).tolist() == [-1, 1, -1]
