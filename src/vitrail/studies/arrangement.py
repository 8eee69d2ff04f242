"""Images whose class is nothing but the arrangement of identical patches: without position, chance is all there is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from vitrail.core.seeding import Stream, uniform
from vitrail.data.dataset import Dataset, Samples, Traits

PATCH, GRID = 4, 4
CLASSES = ("left", "right", "top", "bottom")
SIZES = {"train": 1200, "val": 200, "test": 400}
CHANCE = 1 / len(CLASSES)
BRIGHT, DARK, SPREAD = 190, 60, 40
"""Grey of the two kinds of patch; each image as a whole is lighter or darker by at most half the spread."""


def arrangement(dataset: Dataset, seed: int) -> Dataset:
    """Make images of eight bright and eight dark patches: the bright ones fill the left, right, top or bottom half.

    Args:
        dataset: not looked at.
        seed: decides how light each image is, and its class.

    Returns:
        Images of 16 × 16 pixels, one channel, in four classes; every image has the same patches but for their places.
    """
    splits, start = {}, 0
    for split, count in SIZES.items():
        numbers = uniform(seed, Stream.SELECT, 0, np.arange(start, start + count), 2)
        labels = (numbers[:, 0] * len(CLASSES)).astype(np.int64)
        splits[split] = Samples(_draw(labels, numbers[:, 1]), labels, [f"{split}/{one}" for one in range(count)])
        start += count
    return Dataset("arrangement", CLASSES, splits, Traits(flip=False, photo=False), (), tuple(splits))


def _draw(labels: npt.NDArray[np.int64], light: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[:GRID, :GRID]
    half = GRID // 2
    patterns = np.stack([columns < half, columns >= half, rows < half, rows >= half])
    grey = np.where(patterns[labels], BRIGHT, DARK) + np.rint(SPREAD * (light - 0.5)).astype(np.int64)[:, None, None]
    whole = grey.repeat(PATCH, axis=1).repeat(PATCH, axis=2)
    return whole[..., None].astype(np.uint8)
