"""Changes of a data set: fewer images, some of its classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from vitrail.core.seeding import Stream, permutation
from vitrail.data.dataset import Dataset


def some_images(count: int) -> Callable[[Dataset, int], Dataset]:
    """Keep some of the training images; those of a smaller count are among those of a larger one.

    Args:
        count: how many, or as many as there are, the same number of each class but for the rest.

    Returns:
        A change: (data set, seed) → data set. Other splits stay.
    """

    def change(dataset: Dataset, seed: int) -> Dataset:
        train = dataset.splits["train"]
        order = permutation(seed, Stream.SELECT, 0, len(train))
        labels = train.labels[order]
        rank = np.empty(len(order), dtype=np.int64)  # the how-manieth of its class an image is
        for label in range(len(dataset.classes)):
            rank[labels == label] = np.arange(int((labels == label).sum()))
        kept = order[np.argsort(rank, kind="stable")][: min(count, len(order))]
        splits = {**dataset.splits, "train": train.take(np.sort(kept))}
        return Dataset(dataset.reference, dataset.classes, splits, dataset.traits, (), dataset.made_splits)

    return change
