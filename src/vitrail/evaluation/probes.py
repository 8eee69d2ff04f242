"""Probes: what frozen features are worth, by simple classifiers on top of them.

Whatever a probe leaves open, such as its regularisation, is chosen on validation features and never on those that it is
measured on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.table import Table
from vitrail.evaluation.least_squares import PENALTY, draw_shots, least_squares, require_classes
from vitrail.evaluation.logistic import logistic_regression
from vitrail.evaluation.metrics import Labels, Score, accuracy, confusion_matrix, per_class, top_k, wilson_interval
from vitrail.evaluation.nearest import neighbour_votes

Scores = npt.NDArray[Any]
"""(images, classes) floats; the highest of a row is the answer."""


@dataclass(frozen=True)
class Labelled:
    """Hold features of images, and their classes.

    Args:
        x: (n, dim) float32.
        y: (n,) int64.
    """

    x: npt.NDArray[np.float32]
    y: Labels

    def __add__(self, other: Labelled) -> Labelled:
        return Labelled(np.concatenate([self.x, other.x]), np.concatenate([self.y, other.y]))


class Probe(ABC):
    """Be a row of `PROBES`."""

    name: str

    @abstractmethod
    def measure(
        self, train: Labelled, val: Labelled, measured: Labelled, classes: Sequence[str]
    ) -> Iterator[tuple[str, Any]]:
        """Learn from features, and say how well they tell the classes apart.

        Args:
            train: to learn from.
            val: to choose by.
            measured: to measure on.
            classes: names of the classes.

        Yields:
            Name and value: top1, top5 (with 6 classes or more), interval, n, balanced_accuracy, macro_f1, and what was
            chosen.

        Raises:
            DataError: if there are not images enough to learn from.
        """


@dataclass(frozen=True)
class Choice:
    """Hold what validation decided.

    Args:
        value: of the setting.
        score: what it was chosen by, on the validation images, 0 … 1.
        error: how far that is from the true one, typically.
        wrong: validation images of another class than the answer.
    """

    value: float
    score: float
    error: float
    wrong: int


@dataclass(frozen=True)
class ChosenProbe(Probe):
    """Be a classifier with one setting that regularises it, chosen on validation.

    Args:
        name: what it is called.
        setting: what the setting is called.
        values: from the strongest regularisation to the weakest; of equal accuracies the first counts.
        scores: (x, y, points, number of classes, values) → scores of the points, for each value.
    """

    name: str
    setting: str
    values: tuple[float, ...]
    scores: Callable[..., Iterator[Scores]]

    def choose(self, train: Labelled, val: Labelled, classes: Sequence[str], score: Score = accuracy) -> Choice:
        """Try every value.

        Args:
            train: to learn from.
            val: to choose by.
            classes: names of the classes.
            score: what is to be high.

        Returns:
            The best value.

        Raises:
            DataError: if the images to learn from are of one class.
        """
        require_classes(np.bincount(train.y, minlength=len(classes)), classes)
        choices = []
        for value, scores in zip(
            self.values, self.scores(train.x, train.y, val.x, len(classes), self.values), strict=True
        ):
            predicted = scores.argmax(axis=1)
            figures = score(predicted, val.y) if len(val.y) else (0.0, 0.0)
            choices.append(Choice(value, *figures, int((predicted != val.y).sum())))
        return max(choices, key=lambda choice: choice.score)

    def measure(
        self, train: Labelled, val: Labelled, measured: Labelled, classes: Sequence[str]
    ) -> Iterator[tuple[str, Any]]:
        choice = self.choose(train, val, classes)
        pool = train if measured is val else train + val
        (scores,) = self.scores(pool.x, pool.y, measured.x, len(classes), (choice.value,))
        yield from probe_metrics(scores, measured.y)
        yield "chosen", {self.setting: choice.value, "val_top1": choice.score, "val_n": len(val.y)}


@dataclass(frozen=True)
class FewShotProbe(Probe):
    """Be the paper's few-shot accuracy: least squares on a few images of each class, averaged over draws.

    Args:
        shots: images of each class.
        seeds: one for each draw from the training images.
        name: what it is called.
    """

    shots: int = 5
    seeds: tuple[int, ...] = (0, 1, 2)
    name: str = "fewshot"

    def measure(
        self, train: Labelled, val: Labelled, measured: Labelled, classes: Sequence[str]
    ) -> Iterator[tuple[str, Any]]:
        draws = []
        for seed in self.seeds:
            chosen = draw_shots(train.y, len(classes), self.shots, seed, classes)
            x, y = train.x[chosen], train.y[chosen]
            (scores,) = least_squares(x, y, measured.x, len(classes), (PENALTY,))
            draws.append(dict(probe_metrics(scores, measured.y)))
        means = {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0] if name != "interval"}
        n = len(measured.y)
        yield from {**means, "n": n, "interval": list(wilson_interval(round(means["top1"] * n), n))}.items()
        yield "shots", self.shots
        yield "draws", {str(seed): draw["top1"] for seed, draw in zip(self.seeds, draws, strict=True)}


def probe_metrics(scores: Scores, labels: Labels) -> Iterator[tuple[str, Any]]:
    """Compute the figures of a classifier whose scores are no log-probabilities.

    Args:
        scores: (n, classes), n ≥ 1.
        labels: (n,).

    Yields:
        Name and value, as `classification_metrics` where it does not speak of probabilities.
    """
    n, classes = scores.shape
    correct = top_k(scores, labels, 1)
    yield "top1", correct / n
    if classes >= 6:
        yield "top5", top_k(scores, labels, 5) / n
    yield "interval", list(wilson_interval(correct, n))
    yield "n", n
    matrix = confusion_matrix(scores.argmax(axis=1), labels, classes)
    recall, _, f1 = per_class(matrix)
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    yield "balanced_accuracy", float(recall[true > 0].mean())
    yield "macro_f1", float(f1[true + predicted > 0].mean())


NEAREST = ChosenProbe("knn", "k", (200, 100, 50, 20, 10, 5, 3, 1), neighbour_votes)
LEAST_SQUARES = ChosenProbe(
    "least-squares", "penalty", tuple(2.0**power for power in range(19, -11, -1)), least_squares
)
LINEAR = ChosenProbe("linear", "penalty", tuple(10.0 ** (half / 2) for half in range(8, -5, -1)), logistic_regression)

CHOSEN: Table[ChosenProbe] = Table("probe", {"knn": NEAREST, "least-squares": LEAST_SQUARES, "linear": LINEAR})
PROBES: Table[Probe] = Table("probe", {**CHOSEN, "fewshot": FewShotProbe()})
