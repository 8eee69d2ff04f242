"""Parts of thumbnails, brought back to the size of a thumbnail: what a crop of an image would look like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vitrail.data.check.look import SIDE

Array = npt.NDArray[np.float32]

LEAST_SCALE, SLACK = 0.86, 0.01
"""The smallest part looked for, as part of the side; how far a part may reach beyond the edge."""


@dataclass(frozen=True)
class Window:
    """Say which part of an image is meant, and whether it is mirrored.

    Args:
        top: where it begins, as part of the height.
        left: where it begins, as part of the width.
        scale: its height and width as part of the image's.
        mirrored: left and right exchanged.
        upended: top and bottom exchanged.
    """

    top: float = 0.0
    left: float = 0.0
    scale: float = 1.0
    mirrored: bool = False
    upended: bool = False

    def rows(self) -> Array:
        """Give the map from the rows of a thumbnail to those of the part."""
        matrix = resampling(np.float32(self.top), np.float32(self.scale))
        return matrix[::-1] if self.upended else matrix

    def columns(self) -> Array:
        """Give the map from the columns of a thumbnail to those of the part."""
        matrix = resampling(np.float32(self.left), np.float32(self.scale))
        return matrix[::-1] if self.mirrored else matrix


def resampling(start: Array | np.float32, scale: Array | np.float32) -> Array:
    """Make the matrices that take a part of a row and spread it over the whole, each new pixel a mean.

    Args:
        start: (…,) where parts begin, 0 … 1.
        scale: (…,) how long they are, 0 … 1.

    Returns:
        (…, 32, 32): the sum of each row is 1.
    """
    edges = np.asarray(start)[..., None] * SIDE + np.asarray(scale)[..., None] * np.arange(SIDE + 1, dtype=np.float32)
    low, high = edges[..., :-1, None], edges[..., 1:, None]
    pixel = np.arange(SIDE, dtype=np.float32)
    covered = np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)
    matrix: Array = (covered / covered.sum(axis=-1, keepdims=True)).astype(np.float32)
    return matrix


def likely_windows() -> tuple[Window, ...]:
    """List the windows that a copy is searched in.

    Returns:
        The whole image in its four mirrorings; parts of 95 and 90 % of the side, so dense that any such part lies
        within a pixel of a thumbnail, upright and mirrored.
    """
    whole = [Window(mirrored=mirrored, upended=upended) for mirrored in (False, True) for upended in (False, True)]
    parts = [
        Window(top, left, scale, mirrored)
        for scale, starts in ((0.95, (0.0125, 0.0375)), (0.9, (0.0, 0.05, 0.1)))
        for top in starts
        for left in starts
        for mirrored in (False, True)
    ]
    return (*whole, *parts)
