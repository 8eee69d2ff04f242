"""A map over its image, without words: for a page that writes them itself."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

COLOURS, SIGNED_COLOURS = "inferno", "RdBu_r"
OPACITY, VEIL = 0.6, 0.62
FAINT = [64 + value // 2 for value in range(256)]
"""Greys of an image that a map is laid over: were they black and white, the map's colours would mean little."""
TINY = 64
"""Images whose longer side is at most this many pixels are enlarged without smoothing."""
MAX_ASPECT = 16
"""Longer images are drawn as if they were so many times longer than wide; their lines would vanish otherwise."""

Box = tuple[float, float, float, float]
Map = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Coloured:
    """Hold a map as colours.

    Args:
        shares: (rows, columns), places 0 … 1 on the scale.
        colours: name of the scale, as matplotlib has it.
        low: what its lower end stands for.
        high: what its upper end stands for.
    """

    shares: Map
    colours: str
    low: str
    high: str


def coloured(values: Map, signed: bool = False) -> Coloured:
    """Put a map on a scale of colours.

    Args:
        values: (rows, columns); 0 or more, unless signed.
        signed: whether numbers below 0 mean the opposite: 0 is then in the middle of the scale.

    Returns:
        From the smallest number to the largest, as multiples of the mean; signed ones as they are, as far below 0 as
        above.
    """
    if signed:
        end = float(np.abs(values).max())
        return Coloured(0.5 + values / (2 * end or 1), SIGNED_COLOURS, f"−{end:.2g}", f"+{end:.2g}")
    relative = values / max(float(values.mean()), np.finfo(np.float64).tiny)
    low, high = float(relative.min()), float(relative.max())
    return Coloured((relative - low) / ((high - low) or 1), COLOURS, f"{low:.1f}×", f"{high:.1f}× the mean")


def shrunk(image: Image.Image, panel: tuple[int, int]) -> Image.Image:
    """Make an image no larger than where it is drawn.

    Args:
        image: grey or colour, left as it is.
        panel: width and height in pixels.

    Returns:
        The image, smaller in each direction in which it was larger.
    """
    size = min(image.width, panel[0]), min(image.height, panel[1])
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Bring an image to the size in which a page shows it.

    Args:
        image: grey or colour, left as it is.
        side: of its longer side, in pixels.

    Returns:
        A colour image, aspect kept up to `MAX_ASPECT`; a tiny one is enlarged pixel by pixel.
    """
    aspect = min(max(image.height / image.width, 1 / MAX_ASPECT), MAX_ASPECT)
    size = max(1, round(side * min(1, 1 / aspect))), max(1, round(side * min(1, aspect)))
    shown = shrunk(image, size).convert("RGB")
    return shown if shown.size == size else shown.resize(size, _enlarging(image))


def overlay(image: Image.Image, box: Box, values: Map, signed: bool, side: int) -> Image.Image:
    """Lay a map over the part of an image that the model saw; the rest is veiled.

    Args:
        image: grey or colour.
        box: left, top, right, bottom of that part, in pixels of the image.
        values: the map.
        signed: as for `coloured`.
        side: as for `fitted`.

    Returns:
        A colour image.
    """
    scale = coloured(values, signed)
    shown = fitted(image, side)
    under = np.asarray(shown.convert("L").point(FAINT), dtype=np.float64)[..., None].repeat(3, axis=2)
    across, down = shown.width / image.width, shown.height / image.height
    left, right = (min(max(round(place * across), 0), shown.width) for place in (box[0], box[2]))
    top, bottom = (min(max(round(place * down), 0), shown.height) for place in (box[1], box[3]))
    size = max(1, right - left), max(1, bottom - top)
    shares = Image.fromarray(scale.shares.astype(np.float32)).resize(size, _enlarging(image))
    colour = 255 * matplotlib.colormaps[scale.colours](np.asarray(shares))[..., :3]
    veiled = under + VEIL * (255 - under)
    inside = (slice(top, top + size[1]), slice(left, left + size[0]))
    part = veiled[inside].shape[:2]
    veiled[inside] = (1 - OPACITY) * under[inside] + OPACITY * colour[: part[0], : part[1]]
    return Image.fromarray(np.rint(veiled).astype(np.uint8))


def _enlarging(image: Image.Image) -> Image.Resampling:
    return Image.Resampling.NEAREST if max(image.size) <= TINY else Image.Resampling.BILINEAR
