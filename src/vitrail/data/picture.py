"""Small pictures for people: of any decoded image, and of pixels as a model sees them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from vitrail.data.bands import Bands, Decoded


def picture(image: Decoded, side: int | None = None) -> Image.Image:
    """Make a picture that can be shown.

    Args:
        image: what `decode` gave. Of n channels the first three are shown as red, green and blue; of two, the first.
        side: largest width and height in pixels; None for the image's own.

    Returns:
        A new image of mode "L" or "RGB", aspect kept.
    """
    if isinstance(image, Bands):
        shown = Image.merge("RGB", image.planes[:3]) if len(image.planes) > 2 else image.planes[0].copy()
    else:
        shown = image.copy()
    if side is not None:
        shown.thumbnail((side, side))
    return shown


def picture_of_pixels(pixels: npt.NDArray[np.uint8]) -> Image.Image:
    """Make a picture of what `ImageSpec.pixels` gave.

    Args:
        pixels: (height, width, channels) uint8.

    Returns:
        Mode "L" or "RGB", chosen as by `picture`.
    """
    shown = pixels[..., :3] if pixels.shape[2] > 2 else pixels[..., 0]
    return Image.fromarray(np.ascontiguousarray(shown))
