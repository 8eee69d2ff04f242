"""From whatever an image file holds to 8-bit grey or colour, upright, in sRGB, on white."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageChops

from vitrail.data.bands import WHITE_IS_ZERO
from vitrail.data.profile import to_srgb

ORIENTATION, BITS, PHOTOMETRIC = 274, 258, 262
"""Tags of EXIF and TIFF."""

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def flatten(image: Image.Image) -> Image.Image:
    """Bring an image of any mode to what a person sees.

    Args:
        image: as Pillow opened it, first frame.

    Returns:
        Mode "L" for grey images, "RGB" for all others.
    """
    image.load()
    turn = TURNS.get(_orientation(image))
    colour, alpha = _layers(image)
    colour = to_srgb(colour, image.info.get("icc_profile"))
    if alpha is not None:
        white = Image.new(colour.mode, colour.size, "white")
        colour = Image.composite(colour, white, alpha)
    return colour if turn is None else colour.transpose(turn)


def _orientation(image: Image.Image) -> Any:
    """Read the EXIF tag; TIFF is turned by Pillow already. What cannot be read does not turn the image."""
    try:
        return image.getexif().get(ORIENTATION)
    except Exception:  # damaged EXIF data raise half a dozen kinds of exception
        return None


def _layers(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split into what a profile speaks of ("L", "RGB", "CMYK" or "LAB") and alpha."""
    if image.mode.startswith("I") or image.mode == "F":
        return _to_8_bits(image)
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        grey = image.mode in ("1", "L", "LA", "La")
        image = image.convert("LA") if image.mode == "La" else image
        layer = image.convert("RGBA")
        return layer.getchannel(0) if grey else layer.convert("RGB"), layer.getchannel("A")
    if image.mode == "CMYK":
        return _inked(image), None
    if image.mode in ("1", "L"):
        return image.convert("L"), None
    return image if image.mode == "LAB" else image.convert("RGB"), None


def _inked(image: Image.Image) -> Image.Image:
    """Undo Pillow's inversion of a JPEG that does not say that Adobe's software wrote it, inverted."""
    is_jpeg = image.format in ("JPEG", "MPO")
    return ImageChops.invert(image) if is_jpeg and "adobe" not in image.info else image


def _to_8_bits(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale wide values: whole numbers by their range, others by 1 or, if larger, by the largest."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F":
        top = float(values.max(initial=1.0, where=np.isfinite(values)))
    else:
        bits = tags.get(BITS, (16,))[0]
        top = 2.0 ** min(bits, 16) - 1 if bits == 12 else 65535.0
    part = np.clip(np.nan_to_num(values, posinf=top) / top, 0, 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        part = 1 - part
    grey = Image.fromarray((part * 255 + 0.5).astype(np.uint8))
    key = image.info.get("transparency")
    return grey, None if key is None else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
