"""Images of one pixel's width, and panoramas of ten thousand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vitrail.data.augment import AugmentConfig
from vitrail.data.dataset import Paths, Samples, Traits
from vitrail.data.decode import decode
from vitrail.data.loader import TrainLoader
from vitrail.data.mixing import MixConfig
from vitrail.data.picture import picture
from vitrail.data.pixels import load_pixels
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.data.spec import ImageSpec

SIZES = [(1, 1), (1, 2), (1, 300), (300, 1), (10_000, 50), (50, 10_000), (3, 5000), (10_000, 1)]
"""Widths and heights."""


def stripes(width: int, height: int, channels: int = 3) -> np.ndarray:
    """Left half dark, right half bright; upper half blue."""
    pixels = np.full((height, width, channels), 40, np.uint8)
    pixels[:, width // 2 :, 0] = 220
    pixels[: height // 2, :, -1] = 220
    return pixels


def encode(pixels: np.ndarray, fmt: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, fmt, **({"lossless": True} if fmt == "WEBP" else {}))
    return buffer.getvalue()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("fmt", ["PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_extreme_sizes_are_decoded_exactly(size: tuple[int, int], fmt: str) -> None:
    pixels = stripes(*size)
    image = decode(encode(pixels, fmt))
    assert image.size == size and (np.asarray(image) == pixels).all()
    assert max(picture(image, 160).size) == min(160, max(size))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["crop", "squash"])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box"])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_every_size_becomes_the_models(size: tuple[int, int], mode: str, interpolation: str, channels: int) -> None:
    color = {1: "L", 3: "RGB", 5: "bands"}[channels]
    scale = (0.5,) * channels
    spec = ImageSpec((24, 32), scale, scale, interpolation, mode, 0.875 if mode == "crop" else 1.0, color)
    pixels = spec.pixels(decode(stripes(*size, channels)))
    assert pixels.shape == (24, 32, channels) and pixels.dtype == np.uint8
    flat = spec.pixels(decode(np.full((size[1], size[0], channels), 77, np.uint8)))
    assert (flat == 77).all()


def test_the_middle_of_a_panorama_is_seen() -> None:
    """Cropped, it is a square around the middle; squashed, the whole."""
    pixels = stripes(10_000, 50)
    cropped = ImageSpec((50, 50), interpolation="nearest").pixels(decode(pixels))
    assert (cropped == pixels[:, 4975:5025]).all()
    squashed = ImageSpec((50, 50), interpolation="box", mode="squash").pixels(decode(pixels))
    assert (squashed == stripes(50, 50)).all()


@pytest.mark.parametrize("limit", [0, 2**30], ids=["files", "memory"])
def test_extreme_sizes_can_be_trained_on(tmp_path: Path, limit: int) -> None:
    names = [f"{width}x{height}.png" for width, height in SIZES]
    for name, size in zip(names, SIZES, strict=True):
        (tmp_path / name).write_bytes(encode(np.full((size[1], size[0], 3), 77, np.uint8), "PNG"))
    samples = Samples(Paths(str(tmp_path), names), np.arange(len(names)) % 2, names)
    config = AugmentConfig(
        crop_scale=(0.1, 1.0), flip=True, rotate=5, rand=RandAugmentConfig(operations=1, magnitude=0)
    )
    spec = ImageSpec((16, 16), (0.0,) * 3, (1.0,) * 3)
    loader = TrainLoader(samples, spec, config, MixConfig(), Traits(), 2, 3, 0, workers=0, memory_limit=limit)
    seen = 0
    for epoch in range(10):
        for batch in loader.epoch(epoch):
            assert batch.images.isfinite().all() and not batch.bad
            seen += len(batch.images)
    assert seen == 10 * len(SIZES)
    _, good, bad = load_pixels([samples.image(number) for number in range(len(names))], spec)
    assert good == list(range(len(names))) and bad == []
