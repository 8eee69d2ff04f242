"""Withhold answers that are too unsure to keep a promised error rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.evaluation.metrics import Labels, wilson_interval
from vitrail.evaluation.selective import DELTA, RiskCoverage, Threshold, reject_threshold
from vitrail.weights.model_file import ModelRecord

UNSURE = "unsure"
"""The answer where there is none."""


def threshold_for(record: ModelRecord, max_error: float) -> Threshold:
    """Find from which probability on a model may answer.

    Args:
        record: of the model; its `risk` says how often it was wrong on validation images.
        max_error: part of the answers that may be wrong, 0 < rate < 1.

    Returns:
        The threshold, whose promise holds for images like those of validation, with a chance of 95 %.

    Raises:
        ConfigError: for a rate out of its range, a model without such a record, or a rate that cannot be promised.
    """
    require(0 < max_error < 1, "max_error", max_error, "0 < rate < 1")
    if not record.risk:
        raise ConfigError(
            "this model does not know how often it is wrong: it was not calibrated on validation images",
            hint="train it with `vitrail fit` of this version, or leave out --max-error",
        )
    thresholds, accepted, wrong = zip(*record.risk, strict=True)
    curve = RiskCoverage(thresholds, accepted, wrong, accepted[-1])
    threshold = reject_threshold(curve, max_error)
    if not threshold.coverage:
        share = wrong[-1] / accepted[-1]
        raise ConfigError(
            f"max_error = {max_error:g} cannot be promised: {accepted[-1]:,} validation images, of which "
            f"{100 * share:.1f} % were answered wrongly, are too few for it",
            hint="allow more errors, or train with more validation images",
        )
    return threshold


def selective_figures(
    record: ModelRecord, max_error: float, probabilities: npt.NDArray[np.float64], labels: Labels
) -> dict[str, Any]:
    """Say what became of a promise on labelled images.

    Args:
        record: of the model.
        max_error: part of the answers that may be wrong, 0 < rate < 1.
        probabilities: (n, classes), calibrated.
        labels: (n,).

    Returns:
        max_error, confidence (chance of the promise), threshold, coverage (part of the images answered), answered,
        error (part of the answers that is wrong) and its interval.

    Raises:
        ConfigError: as `threshold_for`.
    """
    threshold = threshold_for(record, max_error)
    answered = probabilities.max(axis=1) >= threshold.confidence
    wrong = int((probabilities.argmax(axis=1) != labels)[answered].sum())
    count = int(answered.sum())
    return {
        "max_error": max_error,
        "confidence": 1 - DELTA,
        "threshold": threshold.confidence,
        "coverage": count / max(1, len(labels)),
        "answered": count,
        "error": wrong / max(1, count),
        "interval": list(wilson_interval(wrong, count)),
    }
