"""How far two thumbnails agree in detail once one is laid over the other as well as it goes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vitrail.data.check.look import SIDE
from vitrail.data.check.window import LEAST_SCALE, SLACK, Array, resampling

FINE, COARSE = 1.0, 3.0
"""Details are what lies between these widths, in pixels of a thumbnail: standard deviations of Gaussians."""
NOISE = 2.0
"""Contrast, of 255, below which a detail counts less and less."""
GRAIN = 1.0
"""Power of what rounding and compression leave in a thumbnail, of 255 levels squared: no difference counts below it."""
FAINT = 0.01
"""Added to the energy of what is compared, so that two images of hardly anything are not alike."""
STEPS = 6
"""Steps of Gauss and Newton; a window within a pixel of the right one is found in three or four."""
HOPELESS = 0.4
"""Likeness before the first step from which an alignment is tried."""
TOGETHER = 2048
"""Pairs compared at once, 50 MB."""


def compare(
    sources: npt.NDArray[np.uint8],
    targets: npt.NDArray[np.uint8],
    boxes: Array,
    turns: npt.NDArray[np.bool_],
) -> tuple[Array, Array]:
    """Measure how like each target is to a window of its source.

    Args:
        sources: (pairs, 32, 32).
        targets: (pairs, 32, 32).
        boxes: (pairs, 3) top, left and scale of the window, about.
        turns: (pairs, 2) whether the window is mirrored, and whether it is upended.

    Returns:
        Of the best window near the given one, (pairs,) correlation of the details, −1 … 1, and (pairs,) root mean
        square difference of brightness, of 255.

    Source:
        B. Lucas, T. Kanade, "An Iterative Image Registration Technique with an Application to Stereo Vision", IJCAI
        1981, with top, left and one scale as unknowns, on details of equalised contrast.
    """
    found = [np.empty((2, 0), dtype=np.float32)]
    for start in range(0, len(sources), TOGETHER):
        part = slice(start, start + TOGETHER)
        found.append(_compare(sources[part], targets[part], boxes[part], turns[part]))
    likeness, difference = np.concatenate(found, axis=1)
    return likeness, difference


def _compare(
    sources: npt.NDArray[np.uint8], targets: npt.NDArray[np.uint8], boxes: Array, turns: npt.NDArray[np.bool_]
) -> Array:
    turned = np.where(turns[:, 0, None, None], targets[:, :, ::-1], targets)
    turned = np.where(turns[:, 1, None, None], turned[:, ::-1], turned)
    values, copies = sources.astype(np.float32), turned.astype(np.float32)
    wanted = details(copies)
    best = correlation(details(window_of(values, boxes)), wanted)
    kept, boxes = boxes.copy(), boxes.copy()
    active = np.flatnonzero(best >= HOPELESS)
    for _ in range(STEPS):
        seen = details(window_of(values[active], boxes[active]))
        score = correlation(seen, wanted[active])
        better = score >= best[active]
        best[active] = np.maximum(best[active], score)
        kept[active[better]] = boxes[active[better]]
        boxes[active] = _step(boxes[active], seen, wanted[active])
    rest = FINE_BLUR @ (window_of(values, kept) - copies) @ FINE_BLUR.T
    difference = np.sqrt(np.einsum("nij,nij->n", rest, rest)) / SIDE
    return np.asarray(np.stack([best, difference]), dtype=np.float32)


def details(images: Array) -> Array:
    """Take what is neither noise nor shading, its contrast made equal everywhere.

    Args:
        images: (n, 32, 32), 0 … 255.

    Returns:
        (n, 32, 32), about −3 … 3.
    """
    smooth = FINE_BLUR @ images @ FINE_BLUR.T
    rest = smooth - COARSE_BLUR @ smooth @ COARSE_BLUR.T
    energy = COARSE_MEAN @ (rest * rest) @ COARSE_MEAN.T
    return np.asarray(rest / np.sqrt(energy + NOISE**2), dtype=np.float32)


def correlation(one: Array, other: Array) -> Array:
    """Correlate details, leaving the part of them that is grain out of the account.

    Args:
        one: (n, 32, 32) from `details`.
        other: (n, 32, 32) from `details`.

    Returns:
        (n,) −1 … 1.
    """
    pairs = ((one, one), (other, other), (one, other))
    first, second, shared = (np.einsum("nij,nij->n", *pair) / SIDE**2 for pair in pairs)
    # `details` turn the power p of a detail into p / (p + NOISE²), so grain has the part (1 − that) / NOISE² of 1
    grain = GRAIN / NOISE**2 * np.clip(1 - np.sqrt(first * second), 0, 1)
    product = (shared + grain) / (np.sqrt((first + FAINT) * (second + FAINT)) + grain)
    return np.asarray(product, dtype=np.float32)


def window_of(images: Array, boxes: Array) -> Array:
    """Cut a window out of each image and bring it to the size of a thumbnail.

    Args:
        images: (n, 32, 32).
        boxes: (n, 3) top, left and scale.

    Returns:
        (n, 32, 32).
    """
    top, left, scale = boxes.T
    return np.asarray(resampling(top, scale) @ images @ resampling(left, scale).transpose(0, 2, 1), dtype=np.float32)


def _step(boxes: Array, seen: Array, wanted: Array) -> Array:
    """Move windows to where the difference would vanish, were images linear; they stay inside of the image."""
    down, right = np.gradient(seen, axis=1), np.gradient(seen, axis=2)
    place = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE
    slopes = np.stack([down, right, down * place[:, None] + right * place], axis=-1).reshape(len(seen), SIDE**2, 3)
    slopes = slopes * SIDE / boxes[:, 2, None, None]
    missing = (wanted - seen).reshape(len(seen), SIDE**2, 1)
    square = slopes.transpose(0, 2, 1) @ slopes + 1e-3 * np.eye(3, dtype=np.float32)
    change = np.linalg.solve(square, slopes.transpose(0, 2, 1) @ missing)[..., 0]
    moved = boxes + np.clip(change, -0.05, 0.05)
    moved[:, 2] = np.clip(moved[:, 2], LEAST_SCALE, 1.0)
    moved[:, :2] = np.clip(moved[:, :2], -SLACK, 1.0 + SLACK - moved[:, 2:])
    kept: Array = moved.astype(np.float32)
    return kept


def _blur(width: float, keep_slopes: bool) -> Array:
    """Make a Gaussian as a matrix. What lies beyond the edge is not counted, or goes on as a slope would."""
    reach = SIDE - 1
    inside = np.arange(SIDE)
    beyond = np.arange(-reach, SIDE + reach)
    kernel = np.exp(-0.5 * ((inside[:, None] - beyond) / width) ** 2)
    mirrored = np.abs(beyond)
    mirrored = np.where(mirrored >= SIDE, 2 * (SIDE - 1) - mirrored, mirrored)
    is_inside = (beyond >= 0) & (beyond < SIDE)
    extend = np.zeros((len(beyond), SIDE))
    extend[np.arange(len(beyond)), mirrored] = np.where(is_inside, 1, -1 if keep_slopes else 0)
    if keep_slopes:
        extend[beyond < 0, 0] += 2
        extend[beyond >= SIDE, -1] += 2
    else:
        kernel = kernel * is_inside
    matrix: Array = (kernel / kernel.sum(axis=1, keepdims=True) @ extend).astype(np.float32)
    return matrix


FINE_BLUR, COARSE_BLUR = _blur(FINE, keep_slopes=True), _blur(COARSE, keep_slopes=True)
COARSE_MEAN = _blur(COARSE, keep_slopes=False)
