"""Files cut short or with bits flipped: they decode, or raise ImageError, and nothing else; nor do they take long."""

from __future__ import annotations

import io
import time
from types import ModuleType

import numpy as np
import pytest
import tifffile
from PIL import Image

from vitrail.core.errors import ImageError
from vitrail.data.bands import Bands
from vitrail.data.decode import decode, examine

MAX_PIXELS = 1_000_000
SLOWEST_S = 2.0


def seeds(written: ModuleType) -> dict[str, bytes]:
    """Give one small sound file of every kind that is read."""
    generator = np.random.default_rng(0)
    colour = Image.fromarray(generator.integers(0, 256, (24, 20, 3), dtype=np.uint8))
    frames = {"save_all": True, "append_images": [colour.rotate(90), colour.rotate(180)]}
    exif = Image.Exif()
    exif[0x0112] = 6
    tags = {b"wtpt": written.WHITE, b"kTRC": written.curve(1.8)}
    profile = written.profile(b"GRAY", tags)
    kinds = {
        "jpeg": ("RGB", "JPEG", {"exif": exif}), "progressive jpeg": ("RGB", "JPEG", {"progressive": True}),
        "cmyk jpeg": ("CMYK", "JPEG", {}), "grey jpeg with a profile": ("L", "JPEG", {"icc_profile": profile}),
        "mpo": ("RGB", "MPO", frames), "png": ("RGB", "PNG", {"exif": exif}), "palette png": ("P", "PNG", {}),
        "alpha png": ("RGBA", "PNG", {}), "16-bit png": ("I;16", "PNG", {}), "1-bit png": ("1", "PNG", {}),
        "apng": ("RGB", "PNG", frames), "gif": ("P", "GIF", {"transparency": 3}), "moving gif": ("P", "GIF", frames),
        "webp": ("RGB", "WEBP", {}), "lossless webp": ("RGBA", "WEBP", {"lossless": True}),
        "moving webp": ("RGB", "WEBP", frames), "bmp": ("RGB", "BMP", {}), "palette bmp": ("P", "BMP", {}),
        "ppm": ("RGB", "PPM", {}), "pbm": ("1", "PPM", {}), "avif": ("RGB", "AVIF", {}), "tiff": ("RGB", "TIFF", {}),
        "lzw tiff": ("L", "TIFF", {"compression": "tiff_lzw"}), "fax tiff": ("1", "TIFF", {"compression": "group4"}),
        "jpeg tiff": ("RGB", "TIFF", {"compression": "jpeg"}), "lab tiff": ("LAB", "TIFF", {}),
        "float tiff": ("F", "TIFF", {}),
    }  # fmt: skip
    found = {}
    for name, (mode, fmt, options) in kinds.items():
        buffer = io.BytesIO()
        image = Image.merge("LAB", colour.split()) if mode == "LAB" else colour.convert("L").convert(mode)
        (colour if mode == "RGB" else image).save(buffer, fmt, **options)
        found[name] = buffer.getvalue()
    bands = generator.integers(0, 256, (12, 10, 5), dtype=np.uint8)
    for name, options in (("bands tiff", {}), ("deflated bands tiff", {"compression": "zlib", "predictor": True})):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, bands, photometric="minisblack", planarconfig="contig", **options)
        found[name] = buffer.getvalue()
    buffer = io.BytesIO()
    np.save(buffer, bands)
    return {**found, "npy": buffer.getvalue()}


def damaged(content: bytes, generator: np.random.Generator) -> bytes:
    """Flip bits, overwrite bytes, cut the end, or take a part out; the beginning, where the headers are, more often."""
    content = bytearray(content)
    kind = generator.integers(0, 5)
    if kind == 0:
        return bytes(content[: generator.integers(0, len(content))])
    if kind == 1:
        start = generator.integers(0, len(content))
        return bytes(content[:start] + content[start + generator.integers(1, 20) :])
    reach = len(content) if kind == 2 else min(len(content), 200)
    for _ in range(generator.integers(1, 6)):
        place = generator.integers(0, reach)
        content[place] = generator.integers(0, 256) if kind == 4 else content[place] ^ (1 << generator.integers(0, 8))
    return bytes(content)


def outcome(content: bytes) -> str:
    """Decode; give "good" or the reason. Anything but an ImageError comes through."""
    clock = time.perf_counter()
    try:
        image = decode(content, MAX_PIXELS)
    except ImageError as error:
        reason = error.message
    else:
        assert isinstance(image, Bands) or image.mode in ("RGB", "L")
        assert image.width * image.height <= MAX_PIXELS
        reason = "good"
    assert reason and "\n" not in reason
    assert time.perf_counter() - clock < SLOWEST_S
    return reason


def test_the_sound_files_decode(written: ModuleType) -> None:
    for name, content in seeds(written).items():
        assert outcome(content) == "good", name
        examine(content)


@pytest.mark.parametrize("rounds", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_damaged_files_decode_or_raise_an_image_error(written: ModuleType, rounds: int) -> None:
    generator = np.random.default_rng(rounds)
    for name, content in seeds(written).items():
        outcomes = []
        for _ in range(rounds):
            broken = damaged(content, generator)
            outcomes.append(outcome(broken))
            try:
                examine(broken, MAX_PIXELS)
            except ImageError:
                assert outcomes[-1] != "good", f"{name}: the header alone was thought to be worse than the file"
        assert len(set(outcomes)) > 1, name
