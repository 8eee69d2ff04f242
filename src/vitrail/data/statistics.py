"""Mean and spread of each channel, for images that no table of constants knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vitrail.core.errors import DataError
from vitrail.core.seeding import Stream, permutation
from vitrail.data.dataset import Samples
from vitrail.data.pixels import stream_pixels
from vitrail.data.spec import ImageSpec

FLOOR = 1 / 255
"""Smallest spread that is divided by: one step of the 8 bits in which images are held."""


def measured_spec(samples: Samples, spec: ImageSpec, seed: int, limit: int = 512) -> ImageSpec:
    """Set mean and std of a spec to those of a sample of images.

    Args:
        samples: the training split.
        spec: what the model takes.
        seed: seed of the run, which chooses the sample.
        limit: images looked at, at most.

    Returns:
        The spec with the mean and standard deviation of each channel, rounded to 6 digits.

    Raises:
        DataError: if not one of them has the channels of the spec.
    """
    chosen = samples.take(np.sort(permutation(seed, Stream.SELECT, 0, len(samples))[:limit]))
    sums, squares, count = np.zeros(spec.channels), np.zeros(spec.channels), 0
    for _, pixels, _, _ in stream_pixels(chosen.images, spec, 64):
        for image in pixels:
            values = image.reshape(-1, spec.channels).astype(np.float64) / 255
            sums, squares, count = sums + values.sum(axis=0), squares + (values**2).sum(axis=0), count + len(values)
    if not count:
        raise DataError(f"not one of {len(chosen)} training images has {spec.channels} channels and can be used")
    mean = sums / count
    std = np.maximum(np.sqrt(np.maximum(squares / count - mean**2, 0)), FLOOR)
    return replace(spec, mean=tuple(np.round(mean, 6).tolist()), std=tuple(np.round(std, 6).tolist()))
