"""Search for near duplicates: images that are copies of others re-encoded, resized, mirrored or cropped a little.

Every image has a descriptor, the coarse pattern of its thumbnail. For every image, what its descriptor would be were
it mirrored or cropped is computed from the thumbnail, and compared with those of all others. The most similar few are
then laid over each other (`likeness`), and count as near duplicates if the details agree as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vitrail.data.check.likeness import compare
from vitrail.data.check.look import SIDE
from vitrail.data.check.window import Array, Window, likely_windows

WAVES = 8
"""Cosines a side that make up a descriptor."""
ALIKE = 0.85
"""Cosine between descriptors from which two images are looked at in detail."""
CLOSEST = 4
"""Images that are looked at in detail for each."""
SAME = 0.92
"""Likeness from which two images are near duplicates."""
TONE = 6.5
"""Largest difference of brightness of near duplicates, of 255: two shirts of one cut are not one picture."""
TINT = 12
"""Largest difference of the mean colour of near duplicates, red or blue against green, of 255."""
AT_ONCE = 2**24
"""Similarities computed at once, 64 MB."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Hold two images that are near duplicates.

    Args:
        first: index of one, the smaller.
        second: index of the other.
        likeness: 0.92 … 1.
    """

    first: int
    second: int
    likeness: float


def near_pairs(
    thumbnails: npt.NDArray[np.uint8],
    colours: npt.NDArray[np.int64],
    progress: Callable[[float], None] = lambda part: None,
) -> list[Pair]:
    """Find all near duplicates.

    Args:
        thumbnails: (n, 32, 32), no two of equal images.
        colours: (n, 3) mean red, green and blue.
        progress: is told which part is done, 0 … 1.

    Returns:
        Pairs in order; time grows with the square of n, memory with n.
    """
    scores: dict[tuple[int, int], float] = {}
    tints = colours[:, [0, 2]] - colours[:, [1]]
    for done, (source, target) in candidates(thumbnails):
        tint = np.abs(tints[source] - tints[target]).max(axis=1, initial=0)
        source, target = source[tint <= TINT], target[tint <= TINT]
        windows = best_windows(thumbnails, source, target)
        likeness, difference = compare(thumbnails[source], thumbnails[target], *windows)
        for place in np.flatnonzero((likeness >= SAME) & (difference <= TONE)).tolist():
            pair = (min(source[place], target[place]), max(source[place], target[place]))
            scores[pair] = max(float(likeness[place]), scores.get(pair, 0.0))
        progress(done)
    return [Pair(int(pair[0]), int(pair[1]), score) for pair, score in sorted(scores.items())]


def candidates(
    thumbnails: npt.NDArray[np.uint8],
) -> Iterator[tuple[float, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]]:
    """Find, for every image, the few that are most like one of its windows.

    Args:
        thumbnails: (n, 32, 32).

    Yields:
        Part that is done, and two arrays of indices: an image, and one that may be a copy of a window of it.
    """
    whole = describe(thumbnails, Window())
    windows = likely_windows()
    rows = max(1, AT_ONCE // max(1, len(thumbnails)))
    for start in range(0, len(thumbnails), rows):
        part = thumbnails[start : start + rows]
        best = np.full((len(part), len(whole)), -1, dtype=np.float32)
        for window in windows:
            np.maximum(best, describe(part, window) @ whole.T, out=best)
        best[np.arange(len(part)), np.arange(start, start + len(part))] = -1
        count = min(CLOSEST, len(whole))
        closest = np.argpartition(-best, count - 1, axis=1)[:, :count]
        source, place = np.nonzero(np.take_along_axis(best, closest, axis=1) >= ALIKE)
        yield (start + len(part)) / len(thumbnails), (source + start, closest[source, place])


def best_windows(
    thumbnails: npt.NDArray[np.uint8], source: npt.NDArray[np.int64], target: npt.NDArray[np.int64]
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Find out of which window of one image another may be the copy.

    Args:
        thumbnails: (n, 32, 32).
        source: (pairs,) indices of the images.
        target: (pairs,) indices of what may be their copies.

    Returns:
        (pairs, 3) top, left and scale; (pairs, 2) whether mirrored, and whether upended.
    """
    windows = likely_windows()
    copies = describe(thumbnails[target], Window())
    cosines = np.stack([(describe(thumbnails[source], one) * copies).sum(axis=1) for one in windows])
    best = cosines.argmax(axis=0)
    boxes = np.array([(one.top, one.left, one.scale) for one in windows], dtype=np.float32)
    turns = np.array([(one.mirrored, one.upended) for one in windows])
    return boxes[best], turns[best]


def describe(thumbnails: npt.NDArray[np.uint8], window: Window) -> Array:
    """Describe the coarse pattern of a window of each thumbnail: its lowest cosines, weighed by their frequency.

    Args:
        thumbnails: (n, 32, 32).
        window: which part.

    Returns:
        (n, 64) of length 1, or 0 for an image of one colour. The mean brightness does not count.
    """
    wave = np.arange(WAVES)[:, None]
    cosines = np.cos(np.pi * (np.arange(SIDE) + 0.5) * wave / SIDE).astype(np.float32)
    cosines[0] /= np.sqrt(2)
    weights = np.hypot(wave, wave.T).astype(np.float32)
    values = (cosines @ window.rows()) @ thumbnails.astype(np.float32) @ (cosines @ window.columns()).T
    flat = (values * weights).reshape(len(thumbnails), WAVES**2)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    described: Array = flat / np.maximum(length, np.float32(1e-3))
    return described
