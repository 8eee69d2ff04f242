"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Confusion:
    """Hold how often one class was taken for another.

    Args:
        label: true class.
        predicted: class it was taken for.
        count: images.
        share: part of the images of the true class.
    """

    label: str
    predicted: str
    count: int
    share: float


def worst_confusions(matrix: npt.NDArray[np.int64], names: Sequence[str], limit: int) -> list[Confusion]:
    """Find the classes that are taken for each other most often.

    Args:
        matrix: (classes, classes) counts, row = true class, column = predicted class.
        names: of the classes.
        limit: how many to give.

    Returns:
        The most frequent first; of equally frequent ones, those that are a larger part of their class.
    """
    sizes = matrix.sum(axis=1)
    rows, columns = matrix.nonzero()
    pairs = [(int(row), int(column)) for row, column in zip(rows, columns, strict=True) if row != column]
    pairs.sort(key=lambda pair: (-int(matrix[pair]), int(sizes[pair[0]]), pair))
    return [
        Confusion(names[row], names[column], int(matrix[row, column]), int(matrix[row, column]) / int(sizes[row]))
        for row, column in pairs[:limit]
    ]
