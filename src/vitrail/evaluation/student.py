"""Means of a few numbers, such as differences between two trainings with one seed: Student's t."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Mean:
    """Hold the mean of a few numbers and how well it is known.

    Args:
        n: how many numbers.
        value: their mean; NaN of none.
        error: standard error of the mean; NaN of fewer than two.
    """

    n: int
    value: float
    error: float

    def interval(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        """Bound the true mean.

        Args:
            confidence: part of such intervals that hold it, 0 … 1.

        Returns:
            Lowest and highest; without bounds for fewer than two numbers.
        """
        if self.n < 2:
            return -math.inf, math.inf
        half = student_quantile((1 + confidence) / 2, self.n - 1) * self.error
        return self.value - half, self.value + half

    def p_greater(self, bound: float = 0.0) -> float:
        """Give the chance of a mean as great as this, were the true one `bound`.

        Args:
            bound: in the unit of the numbers.

        Returns:
            One-sided p-value; 1 for fewer than two numbers, of which nothing can be said.
        """
        if self.n < 2:
            return 1.0
        if self.error == 0:
            return 0.0 if self.value > bound else 1.0
        return 1 - student_cdf((self.value - bound) / self.error, self.n - 1)


def mean_of(numbers: Sequence[float]) -> Mean:
    """Take the mean.

    Args:
        numbers: independent of each other.

    Returns:
        Mean, with its standard error.
    """
    n = len(numbers)
    value = math.fsum(numbers) / n if n else math.nan
    if n < 2:
        return Mean(n, value, math.nan)
    variance = math.fsum((one - value) ** 2 for one in numbers) / (n - 1)
    return Mean(n, value, math.sqrt(variance / n))


def student_cdf(t: float, freedom: int) -> float:
    """Compute the distribution function of Student's t.

    Args:
        t: any number.
        freedom: degrees of freedom, 1 or more.

    Returns:
        The chance of less than t.

    Source:
        Abramowitz and Stegun 1964, 26.7.3 and 26.7.4: finite series for whole degrees of freedom.
    """
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= square * k / (k + 1)
    inside = (angle + sine * total) * 2 / math.pi if odd else sine * total
    return (1 + inside) / 2


def student_quantile(share: float, freedom: int) -> float:
    """Invert `student_cdf`.

    Args:
        share: 0 < share < 1.
        freedom: degrees of freedom, 1 or more.

    Returns:
        t, of which the distribution function is `share`.
    """
    if share < 0.5:
        return -student_quantile(1 - share, freedom)
    low, high = 0.0, 1.0
    while student_cdf(high, freedom) < share:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if student_cdf(middle, freedom) < share else (low, middle)
    return (low + high) / 2


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for there being many.

    Args:
        p_values: of one family of tests.

    Returns:
        Adjusted p-values in the same order: below α, all tests of the family together err with a chance of at most α.

    Source:
        Holm 1979.
    """
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda one: p_values[one])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
