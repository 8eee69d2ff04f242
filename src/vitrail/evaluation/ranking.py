"""How well the probabilities of a class rank its images above the others; and intervals by resampling."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.evaluation.metrics import Labels, per_class
from vitrail.evaluation.selective import area_under_risk

REPEATS = 1000
MOST_WORK = 4e7
"""Numbers that resampling may touch; above it fewer repetitions are made, and below 100 of them none."""

Interval = tuple[float, float]


def trust_figures(
    probabilities: npt.NDArray[np.float64], labels: Labels, matrix: npt.NDArray[np.int64]
) -> Iterator[tuple[str, Any]]:
    """Compute what says how far the other figures can be trusted.

    Args:
        probabilities: (n, classes), n ≥ 1.
        labels: (n,).
        matrix: their confusion matrix, row = true class.

    Yields:
        Name and value: macro_f1_interval, mean_average_precision (over the classes that occur), its interval, aurc
        (area under risk against coverage). An interval is None where there are too many images or classes to resample.
    """
    yield "macro_f1_interval", macro_f1_interval(matrix)
    precision, interval = mean_average_precision(probabilities, labels)
    yield "mean_average_precision", precision
    yield "mean_average_precision_interval", interval
    yield "aurc", area_under_risk(probabilities, labels)


def average_precision(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> float:
    """Average the precision over the recall of one class.

    Args:
        scores: (n,) the higher, the more likely positive.
        positive: (n,) at least one True.

    Returns:
        0 … 1; images of equal score are taken together.
    """
    return float(_average_precisions(*_sorted(scores, positive), np.ones((1, len(scores))))[0])


def mean_average_precision(
    probabilities: npt.NDArray[np.float64], labels: Labels, seed: int = 0
) -> tuple[float, Interval | None]:
    """Average the average precision of every class that occurs, and bound it.

    Args:
        probabilities: (n, classes), n ≥ 1.
        labels: (n,).
        seed: of the resampling.

    Returns:
        The mean, 0 … 1, and its 95 % interval by the bootstrap over images (percentiles); None where resampling would
        take too long.
    """
    n, present = len(labels), np.unique(labels)
    repeats = int(min(REPEATS, MOST_WORK / (n * len(present))))
    weights = np.ones((1, n))
    if repeats >= 100:
        draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=repeats)
        weights = np.concatenate([weights, draws])
    total, counted = np.zeros(len(weights)), np.zeros(len(weights))
    for one in present.tolist():
        precision = _average_precisions(*_sorted(probabilities[:, one], labels == one), weights)
        there = ~np.isnan(precision)
        total += np.where(there, precision, 0)
        counted += there
    means = total / np.maximum(counted, 1)
    return float(means[0]), _percentiles(means[1:]) if repeats >= 100 else None


def macro_f1_interval(matrix: npt.NDArray[np.int64], seed: int = 0) -> Interval | None:
    """Bound the mean F1 of the classes by the bootstrap over images.

    Args:
        matrix: confusion matrix, row = true class, with one image at least.
        seed: of the resampling.

    Returns:
        95 % interval (percentiles); None where there are too many classes to resample.
    """
    cells, n = matrix.size, int(matrix.sum())
    repeats = int(min(REPEATS, MOST_WORK / cells))
    if repeats < 100:
        return None
    draws = np.random.default_rng(seed).multinomial(n, matrix.reshape(-1) / n, size=repeats)
    return _percentiles(np.array([_macro_f1(draw.reshape(matrix.shape)) for draw in draws]))


def _macro_f1(matrix: npt.NDArray[np.int64]) -> float:
    f1 = per_class(matrix)[2]
    return float(f1[matrix.sum(axis=0) + matrix.sum(axis=1) > 0].mean())


def _percentiles(values: npt.NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


Sorted = tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]


def _sorted(scores: npt.NDArray[np.float64], positive: npt.NDArray[np.bool_]) -> Sorted:
    """Sort once: the order, what is positive in it, and where each run of equal scores ends."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return order, positive[order], ends


def _average_precisions(
    order: npt.NDArray[np.int64],
    positive: npt.NDArray[np.bool_],
    ends: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Compute the average precision under each row of weights; NaN where nothing positive has weight."""
    result = np.empty(len(weights))
    for row, weight in enumerate(weights):
        ranked = weight[order]
        right, given = np.cumsum(ranked * positive)[ends], np.cumsum(ranked)[ends]
        precision = right / np.maximum(given, 1e-12)
        gained = np.diff(right, prepend=0.0)
        result[row] = (gained * precision).sum() / right[-1] if right[-1] else np.nan
    return result
