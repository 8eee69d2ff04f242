"""A first look at a split: how large its images are, and whether they have colour."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from vitrail.core.errors import DataError, ImageError
from vitrail.data.dataset import Samples
from vitrail.data.decode import decode


@dataclass(frozen=True)
class Probe:
    """Hold what a sample of images looks like.

    Args:
        side: median of the shorter side, in pixels.
        grey: whether none of them has colour.
        checked: how many were looked at.
    """

    side: int
    grey: bool
    checked: int


def probe_images(samples: Samples, limit: int = 64) -> Probe:
    """Look at images spread evenly over a split.

    Args:
        samples: the split, not empty.
        limit: how many readable ones are enough.

    Returns:
        Size and colour.

    Raises:
        DataError: if not one image of the whole split can be used.
    """
    spread = np.linspace(0, max(0, len(samples) - 1), min(limit, len(samples))).round().astype(int).tolist()
    looked = set(spread)
    others = (number for number in range(len(samples)) if number not in looked)
    sides: list[int] = []
    grey, reason = True, ""
    for number in itertools.chain(spread, others):
        if len(sides) >= limit:
            break
        try:
            image = decode(samples.image(number))
        except ImageError as error:
            reason = reason or error.message
            continue
        sides.append(min(image.size))
        grey = grey and image.mode == "L"
    if not sides:
        raise DataError(
            f"not one of the {len(samples)} images can be used; the first: {reason}",
            hint="check the files; allowed formats: JPEG, PNG, WebP, BMP, GIF, TIFF, PPM, AVIF",
        )
    return Probe(int(np.median(sides)), grey, len(sides))
