"""From a file, bytes, an array or a PIL image to 8-bit pixels, upright; or one clear `ImageError`."""

from __future__ import annotations

import io
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from vitrail.core.errors import ImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM", "AVIF")
"""Pillow's names; JPEG includes MPO, of which the first picture is taken."""
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm",
     ".pbm", ".pnm", ".avif", ".mpo")
)  # fmt: skip
MAX_PIXELS = 50_000_000

ImageLike = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[np.uint8]
ImageList = Sequence[ImageLike] | npt.NDArray[np.uint8]
"""Several images; an array is (n, height, width[, channels])."""


def decode(source: ImageLike, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode an image to RGB or grey, upright, 8 bits a channel, alpha composited on white, first frame.

    Args:
        source: path, encoded bytes, PIL image, or array (height, width[, 1 or 3]) of uint8.
        max_pixels: refuse larger images from their header, before decoding.

    Returns:
        PIL image of mode "RGB" or "L".

    Raises:
        ImageError: if it is missing, not an image of an allowed format, damaged, or too large.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    name = "" if isinstance(source, bytes | Image.Image) else f"{os.fspath(source)}: "
    try:
        with _pillow_warnings_off:
            if isinstance(source, Image.Image):
                return _flatten(source)
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS) as image:
                if image.width * image.height > max_pixels:
                    raise ImageError(f"{name}{image.width} × {image.height} pixels are more than {max_pixels:,}")
                image.load()
                return _flatten(image)
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError(f"{name}no such file") from None
    except Exception as error:  # Pillow's decoders raise eight kinds of exception for damaged files
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, UnidentifiedImageError):
            reason = "not an image of a known format"
        raise ImageError(f"{name}{reason or type(error).__name__}") from error


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


_pillow_warnings_off = _PillowWarningsOff()


def is_image_name(path: str | Path) -> bool:
    """Say whether a file name ends like an image's.

    Args:
        path: file name.

    Returns:
        True for the suffixes of the allowed formats, in any case.
    """
    return os.path.splitext(path)[1].lower() in SUFFIXES


def _from_array(array: npt.NDArray[np.uint8]) -> Image.Image:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)) or not array.size:
        raise ImageError(
            f"an array of shape {array.shape} and type {array.dtype} is no image; allowed: (height, width) or "
            "(height, width, 3) of uint8"
        )
    return Image.fromarray(array)


def _flatten(image: Image.Image) -> Image.Image:
    """Turn upright, reduce 16 bits to 8, put alpha on white."""
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") else values.max(initial=1.0, where=np.isfinite(values))
        grey = np.clip(np.nan_to_num(values, posinf=top) / top * 255 + 0.5, 0, 255).astype(np.uint8)
        return Image.fromarray(np.where(values == image.info.get("transparency"), np.uint8(255), grey))
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
