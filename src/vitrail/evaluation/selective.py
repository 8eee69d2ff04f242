"""Answer only where sure enough: risk against coverage, and a threshold that keeps an error rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vitrail.evaluation.metrics import Labels

POINTS = 256
"""Thresholds that a curve keeps at most: enough to choose from, few enough for a model file."""
DELTA = 0.05
"""Chance that a promise about the error rate fails."""
HEADROOM = 0.7
"""The first answers that are tested are so many that the bound without errors is this part of the promised rate."""


@dataclass(frozen=True)
class RiskCoverage:
    """Hold what happens if answers below a confidence are withheld, for one confidence after another.

    Args:
        thresholds: falling, 0 … 1: an answer is given from this probability on.
        accepted: how many answers are given.
        wrong: how many of these are wrong.
        n: images in all.
    """

    thresholds: tuple[float, ...]
    accepted: tuple[int, ...]
    wrong: tuple[int, ...]
    n: int

    @property
    def coverage(self) -> npt.NDArray[np.float64]:
        """Part of the images that is answered, at each threshold."""
        return np.asarray(self.accepted, np.float64) / max(1, self.n)

    @property
    def risk(self) -> npt.NDArray[np.float64]:
        """Part of the answers that is wrong, at each threshold."""
        return np.asarray(self.wrong, np.float64) / np.maximum(1, self.accepted)


def risk_coverage(probabilities: npt.NDArray[np.float64], labels: Labels, points: int | None = POINTS) -> RiskCoverage:
    """Measure the error rate among the surest answers, for every part of the images that is answered.

    Args:
        probabilities: (n, classes), n ≥ 1.
        labels: (n,).
        points: thresholds to keep at most, spread evenly over the coverage, the last one always; None for all.

    Returns:
        The curve; answers of equal confidence are given together or not at all.

    Source:
        Geifman and El-Yaniv 2017 (arXiv 1705.08500), section 2.
    """
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != labels
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, errors = confidence[order], np.cumsum(wrong[order])
    ends = np.flatnonzero(np.append(sorted_confidence[1:] != sorted_confidence[:-1], True))
    if points is not None and len(ends) > points:
        ends = ends[np.linspace(0, len(ends) - 1, points).round().astype(int)]
    return RiskCoverage(
        tuple(sorted_confidence[ends].tolist()),
        tuple((ends + 1).tolist()),
        tuple(errors[ends].tolist()),
        len(labels),
    )


def area_under_risk(probabilities: npt.NDArray[np.float64], labels: Labels) -> float:
    """Average the error rate over every coverage: how well confidence ranks right above wrong answers.

    Args:
        probabilities: (n, classes), n ≥ 1.
        labels: (n,).

    Returns:
        AURC, 0 … 1; the lower, the better.

    Source:
        Geifman et al. 2019 (arXiv 1805.08206), equation 2.
    """
    curve = risk_coverage(probabilities, labels, points=None)
    steps = np.diff(np.concatenate([[0.0], curve.coverage]))
    return float((curve.risk * steps).sum())


def upper_bound(wrong: int, n: int, delta: float = DELTA) -> float:
    """Bound an error rate from above.

    Args:
        wrong: errors.
        n: answers.
        delta: chance that the true rate is higher, 0 < δ < 1.

    Returns:
        0 … 1; 1 without answers.

    Source:
        Clopper and Pearson 1934: the rate at which so few errors would have the chance δ.
    """
    if wrong >= n:
        return 1.0
    errors = np.arange(wrong + 1)
    log_ways = np.concatenate([[0.0], np.cumsum(np.log((n - errors[:-1]) / errors[1:]))])
    low, high = wrong / n, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        chance = np.exp(log_ways + errors * math.log(rate) + (n - errors) * math.log1p(-rate)).sum()
        low, high = (rate, high) if chance > delta else (low, rate)
    return high


@dataclass(frozen=True)
class Threshold:
    """Say from which confidence on answers are given, and what is promised of them.

    Args:
        confidence: probability from which on an answer is given; above 1 if none ever is.
        coverage: part of the images that were answered where it was chosen.
        bound: the error rate is below this, with a chance of 1 − δ.
    """

    confidence: float
    coverage: float
    bound: float


def reject_threshold(curve: RiskCoverage, max_error: float, delta: float = DELTA) -> Threshold:
    """Find the lowest confidence that keeps a promised error rate on images like these.

    Args:
        curve: of images that were not trained on.
        max_error: the error rate to keep among the answers, 0 < rate < 1.
        delta: chance that the promise fails, 0 < δ < 1.

    Returns:
        The threshold with the highest coverage found; one that rejects everything where the images are too few, or too
        often wrong, to promise that rate.

    Source:
        Fixed-sequence testing of Angelopoulos et al. 2021 (Learn then Test, arXiv 2110.01052), section 2.2: from the
        surest answers on, one threshold after another is tested at the whole δ with the exact bound of Clopper and
        Pearson, until one fails. The sequence begins where even some errors would pass.
    """
    best = Threshold(math.inf, 0.0, 1.0)
    for threshold, accepted, wrong in zip(curve.thresholds, curve.accepted, curve.wrong, strict=True):
        if upper_bound(0, accepted, delta) > HEADROOM * max_error:
            continue
        bound = upper_bound(wrong, accepted, delta)
        if bound > max_error:
            break
        best = Threshold(threshold, accepted / curve.n, bound)
    return best
