"""Which labels are likely wrong, by probabilities of images whose own labels had no part in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.evaluation.least_squares import least_squares
from vitrail.evaluation.metrics import Labels, softmax
from vitrail.evaluation.nearest import neighbour_votes

FOLDS = 5
NEIGHBOURS = 20
PENALTY = 2.0**10
SHARPNESS = 4.0
"""Scores of least squares lie between −1 and 1; times this they are taken for logits."""


@dataclass(frozen=True)
class Doubts:
    """Hold what speaks against each label.

    Args:
        doubt: (n,) −1 … 1, by how much another class is more probable than the label.
        suggested: (n,) the class that is most probable beside the label.
        suspect: (n,) whether the label is likely wrong.
        expected: how many suspects there would be on average if labels were drawn with these probabilities.
        spread: standard deviation of that number.
    """

    doubt: npt.NDArray[np.float64]
    suggested: Labels
    suspect: npt.NDArray[np.bool_]
    expected: float
    spread: float


def doubt_labels(x: npt.NDArray[Any], y: Labels, num_classes: int, seed: int = 0) -> Doubts:
    """Ask of every label how likely it is, given all others.

    Args:
        x: (n, dim) features.
        y: (n,) labels, two classes at least.
        num_classes: number of classes.
        seed: of the cut into parts.

    Returns:
        The doubts, by probabilities in which the image's own label has no part.
    """
    return doubt_answers(held_out_probabilities(x, y, num_classes, seed), y)


def doubt_answers(probabilities: npt.NDArray[np.float64], y: Labels) -> Doubts:
    """Ask of every label how likely it is by given probabilities.

    Args:
        probabilities: (n, classes) of images that were not learned from; `expected` needs calibrated ones.
        y: (n,) labels.

    Returns:
        The doubts. A label is suspect if a class other than it is at least as probable as it usually is for the images
        that bear its name, and more probable than the label.

    Source:
        C. Northcutt, L. Jiang, I. Chuang, "Confident Learning", JAIR 2021 (arXiv 1911.00068), equation 1, with the
        threshold of each class the mean over its images; ranked by the margin.
    """
    rows, num_classes = np.arange(len(y)), probabilities.shape[1]
    own = probabilities[rows, y]
    usual = np.array([own[y == code].mean() if (y == code).any() else np.inf for code in range(num_classes)])
    answers = probabilities.max(axis=1)
    sure = answers[answers >= usual[probabilities.argmax(axis=1)]]
    others = probabilities.copy()
    others[rows, y] = -1
    suggested = others.argmax(axis=1)
    best = others[rows, suggested]
    return Doubts(
        best - own,
        suggested,
        (best > own) & (best >= usual[suggested]),
        float((1 - sure).sum()),
        float(np.sqrt((sure * (1 - sure)).sum())),
    )


def held_out_probabilities(x: npt.NDArray[Any], y: Labels, num_classes: int, seed: int) -> npt.NDArray[np.float64]:
    """Answer for each part of the images by what the others teach: the mean of two simple classifiers.

    Args:
        x: (n, dim) features.
        y: (n,) labels.
        num_classes: number of classes.
        seed: of the cut into parts.

    Returns:
        (n, num_classes) probabilities.
    """
    # each class is dealt out in turn, so that every part has its share of it
    order = np.random.default_rng(seed).permutation(len(y))
    dealt = order[np.argsort(y[order], kind="stable")]
    fold = np.empty(len(y), dtype=np.int64)
    fold[dealt] = np.arange(len(y)) % FOLDS
    probabilities = np.zeros((len(y), num_classes))
    for number in np.unique(fold).tolist():
        held, known = fold == number, fold != number
        if not known.any():
            continue
        (votes,) = neighbour_votes(x[known], y[known], x[held], num_classes, (NEIGHBOURS,))
        (scores,) = least_squares(x[known], y[known], x[held], num_classes, (PENALTY,))
        shares = votes / votes.sum(axis=1, keepdims=True)
        probabilities[held] = (shares + softmax(SHARPNESS * scores.astype(np.float32))) / 2
    return probabilities
