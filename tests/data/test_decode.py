"""Pixels as a person sees them, or one clear `ImageError`; references are computed without Pillow's operations."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from vitrail.core.errors import ImageError
from vitrail.data.decode import FORMATS, decode, is_image_name

Pixels = npt.NDArray[np.uint8]
LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True, "exact": True}, "TIFF": {}, "BMP": {}, "PPM": {}}


def encode(image: Image.Image, fmt: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def array_of(source: object) -> Pixels:
    return np.asarray(decode(source))  # type: ignore[arg-type]


def blocks() -> Pixels:
    """Six flat blocks of 16 pixels a side, 32 × 48 in all, which JPEG keeps nearly exactly."""
    colours = np.array([[[250, 0, 0], [0, 250, 0], [0, 0, 250]], [[250, 250, 0], [0, 0, 0], [250, 250, 250]]], np.uint8)
    return colours.repeat(16, axis=0).repeat(16, axis=1)


def upright(stored: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation as the standard defines it: where row 0 and column 0 are to be seen."""
    turned = {
        1: stored,
        2: stored[:, ::-1],
        3: stored[::-1, ::-1],
        4: stored[::-1],
        5: stored.swapaxes(0, 1),
        6: np.rot90(stored, -1),
        7: stored[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(stored, 1),
    }
    return turned[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation(fmt: str, orientation: int) -> None:
    if fmt == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
    content = encode(Image.fromarray(blocks()), fmt, exif=exif, **(LOSSLESS | options)[fmt])
    expected = upright(blocks(), orientation)
    result = array_of(content)

    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected).max() <= (0 if fmt in LOSSLESS else 2)


def test_orientation_is_applied_to_opened_images_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.open(io.BytesIO(encode(Image.fromarray(blocks()), "PNG", exif=exif)))

    assert (array_of(image) == upright(blocks(), 6)).all()


@pytest.mark.parametrize("fmt", LOSSLESS)
def test_colour_and_grey_are_exact(fmt: str) -> None:
    colour = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert (array_of(encode(Image.fromarray(colour), fmt, **LOSSLESS[fmt])) == colour).all()
    if fmt != "WEBP":
        grey = decode(encode(Image.fromarray(colour[..., 0]), fmt))
        assert grey.mode == "L" and (np.asarray(grey) == colour[..., 0]).all()


def on_white(colour: npt.ArrayLike, alpha: npt.ArrayLike) -> npt.NDArray[np.float64]:
    part = np.asarray(alpha, dtype=np.float64) / 255
    return np.asarray(colour) * part + 255 * (1 - part)


@pytest.mark.parametrize("fmt", ["PNG", "WEBP", "TIFF"])
def test_rgba_is_put_on_white(fmt: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (6, 6, 4), dtype=np.uint8)
    pixels[0, :, 3], pixels[1, :, 3] = 0, 255
    result = array_of(encode(Image.fromarray(pixels), fmt, **LOSSLESS[fmt]))

    assert np.abs(result - on_white(pixels[..., :3], pixels[..., 3:])).max() <= 1
    assert (result[0] == 255).all() and (result[1] == pixels[1, :, :3]).all()


def test_grey_with_alpha_is_put_on_white() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (6, 6, 2), dtype=np.uint8)
    result = array_of(encode(Image.fromarray(pixels), "PNG"))

    assert result.shape == (6, 6), "grey stays grey"
    assert np.abs(result - on_white(pixels[..., 0], pixels[..., 1])).max() <= 1


def palette_image() -> tuple[Image.Image, Pixels]:
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4) % 3
    palette = np.array([[200, 10, 20], [0, 100, 0], [30, 30, 250]], np.uint8)
    image = Image.fromarray(indices)
    image.putpalette(palette.tobytes())
    return image, palette[indices]


@pytest.mark.parametrize("fmt", ["PNG", "GIF", "BMP"])
def test_palette(fmt: str) -> None:
    image, expected = palette_image()

    assert image.mode == "P" and (array_of(encode(image, fmt)) == expected).all()


@pytest.mark.parametrize("fmt", ["PNG", "GIF"])
def test_palette_with_one_transparent_colour(fmt: str) -> None:
    image, expected = palette_image()
    expected[np.asarray(image) == 1] = 255

    assert (array_of(encode(image, fmt, transparency=1)) == expected).all()


def test_palette_with_a_table_of_alpha() -> None:
    image, colours = palette_image()
    alpha = np.array([0, 255, 128])[np.asarray(image)][..., None]
    result = array_of(encode(image, "PNG", transparency=bytes([0, 255, 128])))

    assert np.abs(result - on_white(colours, alpha)).max() <= 1


@pytest.mark.parametrize(("pixels", "key"), [(np.array([[5, 90]], np.uint8), 5), (np.array([[5, 90]], np.uint16), 5)])
def test_grey_with_a_transparent_value(pixels: npt.NDArray[np.generic], key: int) -> None:
    result = array_of(encode(Image.fromarray(pixels), "PNG", transparency=key))

    assert (result[0, 0] == 255).all() and (result[0, 1] < 128).all()


def test_rgb_with_a_transparent_colour() -> None:
    pixels = np.array([[[1, 2, 3], [3, 2, 1]]], np.uint8)

    assert array_of(encode(Image.fromarray(pixels), "PNG", transparency=(1, 2, 3))).tolist() == [[[255] * 3, [3, 2, 1]]]


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "PPM"])
def test_sixteen_bit_grey_keeps_its_range(fmt: str) -> None:
    values = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    result = decode(encode(Image.fromarray(values), fmt))

    assert result.mode == "L" and np.abs(np.asarray(result) - values / 257).max() <= 0.51


def test_floating_point_grey() -> None:
    values = np.array([[0, 0.5, 1, -1]], np.float32)
    assert array_of(encode(Image.fromarray(values), "TIFF")).tolist() == [[0, 128, 255, 0]]
    odd = np.array([[0, 200, np.inf, np.nan]], np.float32)
    assert array_of(encode(Image.fromarray(odd), "TIFF")).tolist() == [[0, 255, 255, 0]]


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "PPM", "BMP"])
def test_one_bit(fmt: str) -> None:
    bits = np.random.default_rng(3).integers(0, 2, (9, 13)).astype(bool)
    result = decode(encode(Image.fromarray(bits), fmt))

    assert result.mode == "L" and (np.asarray(result) == bits * 255).all()


@pytest.mark.parametrize("fmt", ["JPEG", "TIFF"])
def test_cmyk(fmt: str) -> None:
    ink = (40, 120, 200, 30)
    result = array_of(encode(Image.new("CMYK", (16, 16), ink), fmt))
    expected = (255 - np.array(ink[:3])) * (255 - ink[3]) / 255

    assert result.shape == (16, 16, 3) and np.abs(result - expected).max() <= 2


@pytest.mark.parametrize("fmt", ["GIF", "PNG", "WEBP", "TIFF"])
def test_first_frame_of_several(fmt: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    content = encode(frames[0], fmt, save_all=True, append_images=frames[1:], **LOSSLESS.get(fmt, {}))

    assert (array_of(content) == [255, 0, 0]).all()


def test_first_picture_of_mpo() -> None:
    first = Image.new("RGB", (16, 16), (200, 0, 0))
    content = encode(first, "MPO", save_all=True, append_images=[Image.new("RGB", (16, 16), (0, 0, 200))])

    assert np.abs(array_of(content).astype(int) - [200, 0, 0]).max() <= 2


def test_every_kind_of_source_is_the_same(tmp_path: Path) -> None:
    image = Image.fromarray(blocks())
    path = tmp_path / "猫 É.png"
    image.save(path)

    for source in (path, str(path), path.read_bytes(), image, blocks()):
        assert (array_of(source) == blocks()).all()
    assert decode(blocks()[..., :1]).mode == decode(blocks()[..., 0]).mode == "L"


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 2, 4, 1), np.uint8), np.zeros((2, 2), np.float32), np.zeros((0, 2, 3), np.uint8), np.uint8(3)],
)
def test_arrays_that_are_no_images(array: Pixels) -> None:
    with pytest.raises(ImageError, match="uint8"):
        decode(np.asarray(array))


def png_header(width: int, height: int) -> bytes:
    """Write a PNG of a few bytes that claims any size."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7072, 10_000, 13_370, 60_000])
def test_oversize_is_refused_from_the_header(side: int) -> None:
    with pytest.raises(ImageError, match="pixels"):
        decode(png_header(side, side))


def test_the_limit_is_on_pixels_and_can_be_set() -> None:
    content = encode(Image.new("L", (100, 10)), "PNG")

    assert decode(content, max_pixels=1000).size == (100, 10)
    with pytest.raises(ImageError, match="100 × 10 pixels are more than 999"):
        decode(content, max_pixels=999)


@pytest.mark.parametrize("kept", [0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("fmt", ["JPEG", "PNG", "WEBP", "GIF"])
def test_truncated_files(fmt: str, kept: float, tmp_path: Path) -> None:
    noise = np.random.default_rng(4).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noise), fmt)
    path = tmp_path / "cut"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ImageError, match="cut: "):
        decode(path)
    opened = None
    try:
        opened = Image.open(path)
    except OSError:
        return
    with opened, pytest.raises(ImageError):
        decode(opened)


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.touch()
    for source in (path, b""):
        with pytest.raises(ImageError, match="the file is empty"):
            decode(source)


@pytest.mark.parametrize("content", [b"x", b"hello world" * 99, b"<svg/>", b"%PDF-1.4", b"\0" * 5000, b"\xff\xd8"])
def test_not_an_image(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "cat.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"cat\.jpg: not an image of a known format"):
        decode(path)
    with pytest.raises(ImageError, match="^not an image of a known format"):
        decode(content)


@pytest.mark.parametrize("fmt", ["ICO", "PCX", "TGA", "SGI", "PDF", "EPS"])
def test_formats_off_the_list_are_refused(fmt: str) -> None:
    assert fmt not in FORMATS
    with pytest.raises(ImageError, match="known format"):
        decode(encode(Image.new("RGB", (32, 32)), fmt))


def test_what_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    cases = [
        (tmp_path / "no.png", "no such file"), (tmp_path, "directory"), ("a\0b", "null"), ("\ud800.png", "surrogate"),
        (tmp_path / "pipe.png", "a pipe or a device"), ("/dev/zero", "a pipe or a device"),
    ]  # fmt: skip
    for path, reason in cases:
        with pytest.raises(ImageError, match=reason):
            decode(path)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_damage_raises_nothing_else(data: st.DataObject) -> None:
    fmt = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM"]))
    content = bytearray(encode(Image.fromarray(blocks()), fmt))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ImageError):
        assert decode(bytes(content), max_pixels=1_000_000).mode in ("RGB", "L")


def test_warnings_of_others_survive_threads() -> None:
    before = list(warnings.filters)
    content = encode(Image.fromarray(blocks()), "PNG")
    threads = [threading.Thread(target=lambda: [decode(content) for _ in range(20)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert list(warnings.filters) == before


def test_pillow_does_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    with pytest.raises(ImageError):
        decode(png_header(10_000, 10_000))
    assert not recwarn


def test_image_names() -> None:
    assert all(map(is_image_name, ["a.jpg", "B.JPEG", "dir.x/c.Png", Path("d.webp"), "e.tar.tiff"]))
    assert not any(map(is_image_name, ["a.heic", "png", ".png", "b.jpg.txt", "c.", "d.svg", "dir.png/e"]))
