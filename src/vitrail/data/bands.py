"""Images that are neither grey nor colour: any number of channels, from arrays, `.npy` files and TIFF."""

from __future__ import annotations

import math
import os
import zlib
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from vitrail.core.errors import ImageError

NPY_MAGIC = b"\x93NUMPY"
TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

KINDS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}
"""Type of stored values → the value that stands for full."""
WHITE_IS_ZERO = 0
"""TIFF's photometric interpretation of images whose largest value is black."""
SLACK = 1e-3
"""How far float32 values may lie outside of 0 … 1, as resampling leaves them."""


@dataclass(frozen=True)
class Bands:
    """Hold an image of n channels, n neither 1 nor 3, as planes of 8 bits.

    Args:
        planes: one grey image a channel, all of one size.
    """

    planes: tuple[Image.Image, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as Pillow's images have it."""
        return self.planes[0].size

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.planes[0].width

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.planes[0].height


Decoded = Image.Image | Bands


def channels_of(image: Decoded) -> int:
    """Count the channels of a decoded image.

    Args:
        image: what `decode` gave.

    Returns:
        1 for grey, 3 for colour, any other number for bands.
    """
    return len(image.planes) if isinstance(image, Bands) else len(image.getbands())


def from_array(array: npt.NDArray[Any]) -> Decoded:
    """Turn an array into an image: grey, colour, or bands.

    Args:
        array: (height, width[, channels]) of uint8; of uint16, 0 … 65535; or of float32, 0 … 1.

    Returns:
        The image, 8 bits a channel.

    Raises:
        ImageError: for another shape or type, or values out of range.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    _require(array.shape, array.dtype)
    pixels = _to_bytes(array)
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return Image.fromarray(pixels)
    return Bands(tuple(Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(pixels, 2, 0)))


def read_npy(file: IO[bytes], max_pixels: int, header_only: bool = False) -> Decoded | None:
    """Read an image from NumPy's file format; nothing in it is executed.

    Args:
        file: at its beginning.
        max_pixels: refuse larger images from their header.
        header_only: check the header and the file's size, and read nothing more.

    Returns:
        The image; None with `header_only`.

    Raises:
        ImageError: if its header names another shape or type, or a size that the file has not.
    """
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(file)
    _require(shape, kind)
    limit(shape, max_pixels)
    start, end = file.tell(), file.seek(0, os.SEEK_END)
    expected = math.prod(shape) * kind.itemsize
    if end - start != expected:
        raise ImageError(f"its header promises {expected:,} bytes of values; it has {end - start:,}")
    if header_only:
        return None
    file.seek(start)
    values = np.frombuffer(file.read(expected), dtype=kind)
    return from_array(values.reshape(shape, order="F" if by_columns else "C"))


def read_tiff(file: IO[bytes], max_pixels: int, header_only: bool = False) -> Decoded | None:
    """Read the first page of a TIFF that has more channels, or other values, than Pillow knows.

    Args:
        file: at its beginning.
        max_pixels: refuse larger images from their header.
        header_only: check the header, and read nothing more.

    Returns:
        The image; None with `header_only`.

    Raises:
        ImageError: if its values are of another kind, if it is compressed other than by deflate, or if it is damaged.
    """
    import tifffile

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    with tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        shape = {axis: length for axis, length in zip(page.axes, page.shape, strict=True) if length > 1}
        if page.dtype is None or not set(shape) <= set("YXS"):
            raise ImageError(f"a TIFF of axes {page.axes} is no image; allowed: rows, columns and channels")
        if page.photometric not in (WHITE_IS_ZERO, 1, 2):
            raise ImageError(f"a TIFF of {page.dtype} values as {tifffile.PHOTOMETRIC(page.photometric).name}")
        limit((page.imagelength, page.imagewidth, page.samplesperpixel), max_pixels)
        _require((page.imagelength, page.imagewidth, page.samplesperpixel), page.dtype)
        if page.compression not in (1, 8, 32946):
            method = tifffile.COMPRESSION(page.compression).name
            raise ImageError(f"compressed by {method}; allowed for images of so many channels: none or deflate")
        if not all(page.databytecounts) or sum(page.databytecounts) > size or page.imagedepth != 1:
            raise ImageError("image file is truncated")
        if header_only:
            return None
        if page.compression != 1:
            _refuse_swelling(file, page)
        array = page.asarray()
    if page.photometric == WHITE_IS_ZERO:
        kind = array.dtype.newbyteorder("=")
        array = kind.type(KINDS[kind]) - array
    planar = page.axes.startswith("S")
    return from_array(np.moveaxis(array, 0, -1) if planar and array.ndim == 3 else array)


def limit(shape: tuple[int, ...], max_pixels: int) -> None:
    """Refuse what is too large to be decoded.

    Args:
        shape: height, width and perhaps channels.
        max_pixels: pixels allowed; values, four times as many.

    Raises:
        ImageError: if there are more.
    """
    height, width = shape[:2]
    if height * width > max_pixels:
        raise ImageError(f"{width} × {height} pixels are more than {max_pixels:,}")
    if math.prod(shape) > 4 * max_pixels:
        raise ImageError(f"{width} × {height} pixels of {shape[2]} channels are more than {4 * max_pixels:,} values")


def _require(shape: tuple[int, ...], kind: np.dtype[Any]) -> None:
    if len(shape) not in (2, 3) or not math.prod(shape) or kind.newbyteorder("=") not in KINDS:
        raise ImageError(
            f"an array of shape {shape} and type {kind} is no image; allowed: (height, width[, channels]) of uint8, "
            "uint16 or float32"
        )


def _to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    kind = array.dtype.newbyteorder("=")
    if kind == np.uint8:
        return np.ascontiguousarray(array)
    if kind == np.float32:
        low, high = float(array.min()), float(array.max())
        if not (low >= -SLACK and high <= 1 + SLACK):
            raise ImageError(f"float32 values from {low:g} to {high:g}; allowed: 0 … 1")
    scaled = array.astype(np.float32) * np.float32(255 / KINDS[kind])
    return np.clip(scaled + np.float32(0.5), 0, 255).astype(np.uint8)


def _refuse_swelling(file: IO[bytes], page: Any) -> None:
    """Refuse a strip that unpacks to more than its place in the image, which tifffile would unpack whole."""
    room = math.prod(page.chunks) * page.dtype.itemsize
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(offset)
        if len(zlib.decompressobj().decompress(file.read(count), room + 1)) > room:
            raise ImageError("a strip holds more than its place in the image")
