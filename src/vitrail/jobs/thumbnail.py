"""Pictures made small enough for a page."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from vitrail.report.pictures import Picture

LOSSLESS_SIDE = 64
"""Pictures of at most this many pixels a side are kept as they are; larger ones are compressed as photographs."""
JPEG_QUALITY = 88


def encode(image: Image.Image, side: int) -> Picture:
    """Make a picture small enough for a page.

    Args:
        image: grey or colour; left as it is.
        side: pixels that the longer side may have.

    Returns:
        PNG up to `LOSSLESS_SIDE`, JPEG beyond.
    """
    from vitrail.report.pictures import Picture

    small = image.copy()
    small.thumbnail((side, side))
    file = io.BytesIO()
    if max(small.size) <= LOSSLESS_SIDE:
        small.save(file, format="PNG", optimize=True)
    else:
        small.save(file, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return Picture(file.getvalue(), small.size)
