"""From a file, bytes, an array or a PIL image to 8-bit pixels, upright; or one clear `ImageError`."""

from __future__ import annotations

import contextlib
import functools
import io
import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from vitrail.core.errors import ImageError
from vitrail.core.files import as_text
from vitrail.data.bands import NPY_MAGIC, TIFF_MAGICS, Decoded, from_array, limit, read_npy, read_tiff
from vitrail.data.flatten import flatten

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
"""Pillow's names; JPEG includes MPO, of which the first picture is taken. NumPy's `.npy` is read besides."""
ALLOWED_FORMATS = "JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF, NumPy's .npy"
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
     ".pbm", ".pnm", ".avif", ".mpo", ".npy")
)  # fmt: skip
MAX_PIXELS = 50_000_000
EXTRA_SAMPLES, OF_ANY_KIND = 338, 0
"""The tag of TIFF that says what channels beyond grey or colour are; 0: not alpha."""

ImageLike = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
ImageList = Sequence[ImageLike] | npt.NDArray[np.uint8]
"""Several images; an array is (n, height, width[, channels])."""


def decode(source: ImageLike, max_pixels: int = MAX_PIXELS) -> Decoded:
    """Decode an image, upright, 8 bits a channel, in sRGB, alpha composited on white, first frame.

    Args:
        source: path, encoded bytes, PIL image, or array (height, width[, channels]) of uint8.
        max_pixels: refuse larger images from their header, before decoding.

    Returns:
        PIL image of mode "RGB" or "L"; bands if it has neither 1 nor 3 channels.

    Raises:
        ImageError: if it is missing, not an image of an allowed format, damaged, or too large.
    """
    with _named(source):
        if isinstance(source, np.ndarray):
            if source.dtype != np.uint8:
                raise ImageError(f"an array of shape {source.shape} and type {source.dtype}; allowed: uint8")
            return from_array(source)
        if isinstance(source, Image.Image):
            limit((source.height, source.width), max_pixels)
            return flatten(source)
        with _opened(source) as file:
            decoded = _read(file, max_pixels)
            assert decoded is not None
            return decoded


def examine(source: ImageLike, max_pixels: int = MAX_PIXELS) -> None:
    """Look at a file's header alone: whether it is there, of an allowed format, and not too large.

    Args:
        source: path or encoded bytes; what is in memory already is not looked at.
        max_pixels: as for `decode`.

    Raises:
        ImageError: if `decode` would certainly raise it.
    """
    if isinstance(source, np.ndarray | Image.Image):
        return
    with _named(source), _opened(source) as file:
        _read(file, max_pixels, header_only=True)


def name_of(source: ImageLike) -> str:
    """Give what messages about an image start with.

    Args:
        source: as for `decode`.

    Returns:
        Its path and a colon, bytes that are no text spelt out; nothing for what has no path.
    """
    if isinstance(source, bytes | Image.Image | np.ndarray):
        return ""
    path = os.fspath(source)
    try:
        return f"{path if path.isascii() else os.fsencode(path).decode('utf-8', 'backslashreplace')}: "
    except UnicodeEncodeError:  # no file system could have given such a name
        return f"{as_text(path)}: "


@contextlib.contextmanager
def _named(source: ImageLike) -> Iterator[None]:
    """Turn whatever decoding raises into an ImageError that names the image."""
    name = name_of(source)
    try:
        with pillow_warnings_off:
            yield
    except ImageError as error:
        raise ImageError(f"{name}{error.message}") from error.__cause__
    except FileNotFoundError:
        raise ImageError(f"{name}no such file") from None
    except Exception as error:  # decoders raise a dozen kinds of exception for damaged files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, UnidentifiedImageError):
            reason = "not an image of a known format"
        raise ImageError(f"{name}{' '.join(reason.split()) or type(error).__name__}") from error


def _opened(source: str | os.PathLike[str] | bytes) -> IO[bytes]:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    mode = os.stat(source).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ImageError("not a file, but a pipe or a device")  # opening a pipe would wait for who writes to it
    return open(source, "rb")  # its caller closes it


def _read(file: IO[bytes], max_pixels: int, header_only: bool = False) -> Decoded | None:
    """Find out the format, and let the one that knows it read it."""
    magic = file.read(8)
    file.seek(0)
    if not magic:
        raise ImageError("the file is empty")
    if magic.startswith(NPY_MAGIC):
        return read_npy(file, max_pixels, header_only)
    is_tiff = magic.startswith(TIFF_MAGICS)
    if is_tiff:
        _quieten()
    try:
        image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        if not is_tiff:
            raise
        return read_tiff(file, max_pixels, header_only)
    with image:
        limit((image.height, image.width), max_pixels)
        if is_tiff and OF_ANY_KIND in _tag(image, EXTRA_SAMPLES):
            return read_tiff(file, max_pixels, header_only)
        if header_only:
            return None
        _shorten_key(image)
        return flatten(image)


@functools.cache
def _quieten() -> None:
    """Keep what is logged about damaged TIFF off the terminal of whoever has not asked for logs."""
    for name in ("PIL", "tifffile"):
        logging.getLogger(name).addHandler(logging.NullHandler())


def _tag(image: Any, number: int) -> tuple[int, ...]:
    value = image.tag_v2.get(number, ()) if hasattr(image, "tag_v2") else ()
    return value if isinstance(value, tuple) else (value,)


def _shorten_key(image: Any) -> None:
    """Cut the transparent colour of a PNG of 16 bits a channel to 8 bits, as Pillow cuts the pixels."""
    key = image.info.get("transparency")
    if image.format == "PNG" and isinstance(key, tuple) and any("16" in str(tile.args) for tile in image.tile):
        image.info["transparency"] = tuple(value >> 8 for value in key)


class _PillowWarningsOff:
    """Silence Pillow while at least one thread is inside.

    `warnings.catch_warnings` alone would not do: where threads overlap, the last to leave brings back the filters that
    the first had set, for good.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\b")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


pillow_warnings_off = _PillowWarningsOff()
"""A context; one around many images costs less than one around each."""


def is_image_name(path: str | Path) -> bool:
    """Say whether a file name ends like an image's.

    Args:
        path: file name.

    Returns:
        True for the suffixes of the allowed formats, in any case.
    """
    return os.path.splitext(path)[1].lower() in SUFFIXES
