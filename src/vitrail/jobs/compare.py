"""Compare two trained models on the same labelled images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.core.errors import DataError
from vitrail.evaluation.comparison import Comparison, compare_answers
from vitrail.jobs.evaluate import Evaluation

SIGNIFICANT = 0.05
"""Chance of so large a difference between equally good models below which one is called better."""


@dataclass(frozen=True)
class Contest:
    """Hold how a model does beside another one.

    Args:
        other: the other model's file.
        top1: the other model's accuracy on the images that both could use, 0 … 1.
        compared: the difference, with its interval and test; the first is the model itself.
    """

    other: Path
    top1: float
    compared: Comparison

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `evaluate --against --json` prints under `against`.

        Returns:
            model, top1, n, first_only, second_only, difference, interval, p_value.
        """
        return {"model": str(self.other), "top1": self.top1, **asdict(self.compared)}

    def sentence(self) -> str:
        """Say in words which model is better, if that can be told.

        Returns:
            One line.
        """
        compared = self.compared
        low, high = (f"{100 * bound:+.2f}" for bound in compared.interval)
        if compared.p_value >= SIGNIFICANT:
            verdict = "not separated on these images"
        else:
            verdict = "better" if compared.difference > 0 else "worse"
        return (
            f"against {self.other}: {verdict}; {100 * compared.difference:+.2f} points ({low} … {high}), "
            f"{compared.first_only:,} images right only here, {compared.second_only:,} only there, n = {compared.n:,}, "
            f"p = {compared.p_value:.2g}"
        )


def contest(one: Evaluation, other: Evaluation) -> Contest:
    """Compare two models that were measured on the same images.

    Args:
        one: of the first model.
        other: of the second one, on the same split of the same data.

    Returns:
        The comparison, over the images that both could use.

    Raises:
        DataError: if the images or classes are not the same.
    """
    if one.names != other.names or one.classes != other.classes:
        raise DataError(
            "the two models were measured on different images or classes",
            hint="give the same data and split to both, and models of the same classes",
        )
    shared, first, second = np.intersect1d(one.outputs.indices, other.outputs.indices, return_indices=True)
    if not len(shared):
        raise DataError("there is no image that both models could use")
    answers = [
        (outputs.logits.argmax(axis=1) == outputs.labels)[rows]
        for outputs, rows in ((one.outputs, first), (other.outputs, second))
    ]
    return Contest(other.model, float(answers[1].mean()), compare_answers(*answers))
