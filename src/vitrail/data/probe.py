"""A first look at a split: how large its images are, and how many channels they have."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from vitrail.core.errors import DataError, ImageError
from vitrail.data.bands import Bands, channels_of
from vitrail.data.dataset import Samples
from vitrail.data.decode import ALLOWED_FORMATS, decode


@dataclass(frozen=True)
class Probe:
    """Hold what a sample of images looks like.

    Args:
        side: median of the shorter side, in pixels.
        channels: 1 if they are grey, 3 if some have colour, another number if most have it.
        checked: how many were looked at.
    """

    side: int
    channels: int
    checked: int

    @property
    def kind(self) -> str:
        """What the images are, in a word."""
        return {1: "grey", 3: "colour"}.get(self.channels, f"{self.channels}-channel")


def probe_images(samples: Samples, limit: int = 64) -> Probe:
    """Look at images spread evenly over a split.

    Args:
        samples: the split, not empty.
        limit: how many readable ones are enough.

    Returns:
        Size and channels.

    Raises:
        DataError: if not one image of the whole split can be used.
    """
    spread = np.linspace(0, max(0, len(samples) - 1), min(limit, len(samples))).round().astype(int).tolist()
    looked = set(spread)
    others = (number for number in range(len(samples)) if number not in looked)
    sides: list[int] = []
    kinds: Counter[int] = Counter()
    colour, reason = False, ""
    for number in itertools.chain(spread, others):
        if len(sides) >= limit:
            break
        try:
            image = decode(samples.image(number))
        except ImageError as error:
            reason = reason or error.message
            continue
        sides.append(min(image.size))
        kinds[channels_of(image) if isinstance(image, Bands) else 0] += 1
        colour = colour or channels_of(image) == 3
    if not sides:
        raise DataError(
            f"not one of the {len(samples)} images can be used; the first: {reason}",
            hint=f"check the files; allowed formats: {ALLOWED_FORMATS}",
        )
    most = kinds.most_common(1)[0][0]
    return Probe(int(np.median(sides)), most or (3 if colour else 1), len(sides))
