"""Attention as pictures that a page can hold: for each block a sheet of small maps, one for each head and query."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from functools import lru_cache

import matplotlib
import numpy as np
import numpy.typing as npt
from PIL import Image

Weights = npt.NDArray[np.float64]
"""(heads, tokens, tokens) of one block and one image; row = who attends, column = to whom."""
LEVELS = 16
"""Steps of colour: four bits a patch. Half as many bytes as 256 would take, and no eye tells more apart."""
SHARE_STEPS = 65535


@dataclass(frozen=True)
class Sheet:
    """Hold the attention of one block for one image.

    Args:
        png: encoded picture with a palette: maps of rows × columns pixels, row after row without gaps, all queries of
            the mean over heads first, then those of each head. The deepest colour is the patch that gets most in that
            map; steps are even in the square root of the share.
        across: maps in a row of the picture.
        shares: little-endian 16-bit numbers, for each map two, in steps of 1/65535: what the patch that gets most gets,
            and what goes to tokens before the patches.
    """

    png: bytes
    across: int
    shares: bytes


def draw_sheet(weights: Weights, patches: int, columns: int, heads: list[int] | None = None) -> Sheet:
    """Draw the attention of one block.

    Args:
        weights: of one block and one image.
        patches: how many of the last tokens are patches.
        columns: of the grid.
        heads: those to draw, from 0; None for all. The mean is always over all.

    Returns:
        The sheet.
    """
    chosen = weights if heads is None else weights[heads]
    maps = np.concatenate([weights.mean(axis=0, keepdims=True), chosen]).reshape(-1, weights.shape[-1])
    before, maps = maps[:, :-patches].sum(axis=1), maps[:, -patches:]
    most = maps.max(axis=1)
    relative = maps / np.where(most > 0, most, 1)[:, None]
    tiles = np.rint((LEVELS - 1) * np.sqrt(relative)).astype(np.uint8)
    across = math.ceil(math.sqrt(len(tiles)))
    down = -(-len(tiles) // across)
    padded = np.zeros((down * across, patches // columns, columns), dtype=np.uint8)
    padded[: len(tiles)] = tiles.reshape(-1, patches // columns, columns)
    pixels = padded.reshape(down, across, *padded.shape[1:]).transpose(0, 2, 1, 3).reshape(-1, across * columns)
    picture = Image.fromarray(pixels, mode="P")
    colours, opacity = _palette()
    picture.putpalette(colours)
    file = io.BytesIO()
    picture.save(file, format="PNG", bits=4, transparency=opacity, optimize=True)
    shares = np.rint(SHARE_STEPS * np.clip(np.stack([most, before], axis=1), 0, 1)).astype("<u2")
    return Sheet(file.getvalue(), across, shares.tobytes())


def coarsened(weights: Weights, patches: int, columns: int, step: int) -> tuple[Weights, int, int]:
    """Join patches to larger ones: what they get is added up, what they attend to is averaged.

    Args:
        weights: (heads, tokens, tokens).
        patches: how many of the last tokens are patches.
        columns: of the grid.
        step: patches joined along each side, 1 or more; fewer at the right and bottom if the grid is not a multiple.

    Returns:
        The weights of the larger patches, whose rows have the same sums; how many these are; their columns.
    """
    place = np.arange(patches)
    wide = -(-columns // step)
    cell = place // columns // step * wide + place % columns // step
    prefix = weights.shape[-1] - patches
    owner = np.concatenate([np.arange(prefix), prefix + cell])
    member = np.eye(prefix + int(cell.max()) + 1)[owner]
    joined = (member / member.sum(axis=0)).T @ weights @ member
    return joined, member.shape[1] - prefix, wide


@lru_cache(maxsize=1)
def _palette() -> tuple[bytes, bytes]:
    """Give colours that begin clear, so that the image is seen where there is no attention, and end opaque."""
    steps = np.linspace(0, 1, LEVELS)
    colours = matplotlib.colormaps["inferno"](0.25 + 0.7 * steps)[:, :3]
    return np.rint(255 * colours).astype(np.uint8).tobytes(), np.rint(225 * steps**0.7).astype(np.uint8).tobytes()
