"""Labels of measured images that a model's own answers speak against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.evaluation.label_errors import doubt_answers
from vitrail.jobs.inference import Outputs

MOST_LISTED = 100
"""Suspects that are listed in JSON; they are counted all."""
MANY = 2.0
"""Suspects are more than expected if they are by this many standard deviations."""


@dataclass(frozen=True)
class SuspectLabel:
    """Hold a label that is likely wrong.

    Args:
        split: where the image belongs.
        number: of the image in its split.
        path: what the image is called.
        label: the class that was given.
        suggested: the class that is more probable.
        probability: of the suggested class.
        label_probability: of the given one.
    """

    split: str
    number: int
    path: str
    label: str
    suggested: str
    probability: float
    label_probability: float

    @property
    def doubt(self) -> float:
        """By how much the suggested class is more probable, 0 … 1."""
        return self.probability - self.label_probability


@dataclass(frozen=True)
class SuspectLabels:
    """Hold the labels that are likely wrong among those of measured images.

    Args:
        n: how many images were measured.
        expected: how many suspects the probabilities lead one to expect, if labels are as right as those that the
            temperature was fitted to.
        spread: standard deviation of that number.
        labels: the likeliest first.
    """

    n: int
    expected: float
    spread: float
    labels: tuple[SuspectLabel, ...]

    @property
    def many(self) -> bool:
        """Whether there are more than chance explains, so that labels are worse here than where it was calibrated."""
        return len(self.labels) > self.expected + MANY * self.spread

    def to_json(self) -> dict[str, Any]:
        """Turn into what `evaluate --json` prints under `suspects`.

        Returns:
            n, found, expected, spread, and images: the first `MOST_LISTED`.
        """
        rows = [
            {
                "path": one.path,
                "label": one.label,
                "suggested": one.suggested,
                "probability": one.probability,
                "label_probability": one.label_probability,
            }
            for one in self.labels[:MOST_LISTED]
        ]
        figures = {"n": self.n, "found": len(self.labels), "expected": self.expected, "spread": self.spread}
        return {**figures, "images": rows}

    def joined(self, other: SuspectLabels) -> SuspectLabels:
        """Put the images of two splits together.

        Args:
            other: of the other split.

        Returns:
            Suspects of both, the likeliest first.
        """
        labels = sorted((*self.labels, *other.labels), key=lambda one: -one.doubt)
        spread = math.hypot(self.spread, other.spread)
        return SuspectLabels(self.n + other.n, self.expected + other.expected, spread, tuple(labels))


def suspect_labels(
    outputs: Outputs,
    probabilities: npt.NDArray[np.float64],
    split: str,
    classes: Sequence[str],
    names: Sequence[str],
) -> SuspectLabels:
    """Find labels that are likely wrong among those of images that a model did not learn from.

    Args:
        outputs: of the split.
        probabilities: (good, classes), calibrated, in the order of `outputs`.
        split: name of the split.
        classes: names of the classes.
        names: what each image of the split is called.

    Returns:
        The suspects. That a sure answer and a label contradict each other says that one of them is wrong, not which.
    """
    doubts, found = doubt_answers(probabilities, outputs.labels), []
    for row in np.argsort(-doubts.doubt, kind="stable").tolist():
        if doubts.suspect[row]:
            number, label, suggested = (int(one[row]) for one in (outputs.indices, outputs.labels, doubts.suggested))
            shares = (float(probabilities[row, code]) for code in (suggested, label))
            found.append(SuspectLabel(split, number, names[number], classes[label], classes[suggested], *shares))
    return SuspectLabels(len(outputs.labels), doubts.expected, doubts.spread, tuple(found))
