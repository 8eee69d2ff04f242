"""Which images an epoch shows, how often, and in which order: a function of (seed, epoch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vitrail.core.config import require
from vitrail.core.seeding import Stream, permutation, uniform

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class OrderConfig:
    """Describe how often an epoch shows an image; the default is once.

    Whatever it shows, an epoch has as many places as there are images. Where classes are shown equally often, a model
    learns the probabilities of a world in which they are: on data as unequal as the training images they are wrong.

    Args:
        balance: 0 shows classes as often as they occur, 1 equally often; between, images ** (1 − balance) of a class.
        repeats: copies of an image that stand beside each other, each varied in its own way; 1 or more.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        `repeats`: Hoffer et al. 2019 (arXiv 1901.09335), as in DeiT: an epoch shows 1 / repeats of all images.
    """

    balance: float = 0.0
    repeats: int = 1

    def __post_init__(self) -> None:
        require(0 <= self.balance <= 1, "balance", self.balance, "0 … 1")
        require(self.repeats >= 1, "repeats", self.repeats, "1 or more")


def epoch_order(config: OrderConfig, labels: Numbers, seed: int, epoch: int) -> Numbers:
    """Fill the places of one epoch.

    Args:
        config: how often an image is shown.
        labels: (n,) class of each image.
        seed: seed of the run.
        epoch: epoch number.

    Returns:
        (n,) number of an image + n · how often it stood before, so that each copy can be varied in its own way.
    """
    count = len(labels)
    order = permutation(seed, Stream.ORDER, epoch, count)
    if config.balance:
        order = order[np.argsort(labels[order], kind="stable")]  # rounding then moves a class by one at most
        order = _resampled(order, np.bincount(labels)[labels].astype(np.float64) ** -config.balance, seed, epoch)
    if config.repeats > 1:
        order = np.repeat(order, config.repeats)[:count]
    return order + count * _copies(order)


def _resampled(order: Numbers, weights: npt.NDArray[np.float64], seed: int, epoch: int) -> Numbers:
    """Show each image as often as its weight says, rounded up or down by chance (systematic resampling)."""
    count = len(order)
    bounds = np.cumsum(weights[order])
    start = uniform(seed, Stream.BALANCE, epoch, [count], 1)[0, 0]
    points = (np.arange(count) + start) / count * bounds[-1]
    chosen = order[np.minimum(np.searchsorted(bounds, points, side="right"), count - 1)]
    return chosen[permutation(seed, Stream.BALANCE, epoch, count)]


def _copies(order: Numbers) -> Numbers:
    """Count how often the image of each place stood in an earlier one."""
    sorter = np.argsort(order, kind="stable")
    ranks = np.arange(len(order)) - np.searchsorted(order[sorter], order[sorter], side="left")
    copies = np.empty_like(order)
    copies[sorter] = ranks
    return copies
