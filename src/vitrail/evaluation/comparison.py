"""Two classifiers on the same images: is one better, or was it luck?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Comparison:
    """Hold how two classifiers differ on the same images.

    Args:
        n: images.
        first_only: images that only the first one classifies rightly.
        second_only: images that only the second one does.
        difference: accuracy of the first − accuracy of the second, −1 … 1.
        interval: bounds of the difference, with 95 % confidence.
        p_value: chance of a difference as large, were both equally good.
    """

    n: int
    first_only: int
    second_only: int
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare_answers(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Comparison:
    """Compare two classifiers by the images on which only one of them is right.

    Args:
        first: (n,) whether the first one is right, n ≥ 1.
        second: (n,) whether the second one is, on the same images.

    Returns:
        The comparison.

    Source:
        McNemar 1947, in its exact form (two-sided binomial test); interval of a paired difference: Agresti and
        Min 2005, which adds half an image to each kind.
    """
    n = len(first)
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    a, b, total = only_first + 0.5, only_second + 0.5, n + 2
    centre = (a - b) / total
    half = 1.959963984540054 * math.sqrt((a + b) - (a - b) ** 2 / total) / total
    return Comparison(
        n,
        only_first,
        only_second,
        (only_first - only_second) / n,
        (max(-1.0, centre - half), min(1.0, centre + half)),
        _sign_test(only_first, only_second),
    )


def _sign_test(a: int, b: int) -> float:
    """Compute the two-sided chance of so unequal counts were both equally likely."""
    n = a + b
    log_ways = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(min(a, b) + 1)]
    return min(1.0, 2 * math.fsum(math.exp(way - n * math.log(2)) for way in log_ways))
