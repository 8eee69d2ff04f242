"""What logits and labels say about a classifier."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Score = Callable[[Labels, Labels], tuple[float, float]]
"""(predicted, labels) → how good that is, 0 … 1, and how far it is from the truth, typically."""


def softmax(logits: Logits) -> npt.NDArray[np.float64]:
    """Turn logits into probabilities.

    Args:
        logits: (n, classes).

    Returns:
        (n, classes), rows sum to 1.
    """
    shifted = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Bound a proportion with 95 % confidence.

    Args:
        correct: successes.
        n: trials.

    Returns:
        Lowest and highest, 0 … 1; (0, 1) without trials.

    Source:
        Wilson 1927.
    """
    if n == 0:
        return 0.0, 1.0
    z = 1.959963984540054
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def standard_error(share: float, n: int) -> float:
    """Say how far an observed proportion is from the true one, typically.

    Args:
        share: the proportion, 0 … 1.
        n: trials, 1 or more.

    Returns:
        One standard deviation of the binomial proportion; at least that of a single miss.
    """
    return math.sqrt(max(share * (1 - share), (1 - 1 / n) / n) / n)


def accuracy(predicted: Labels, labels: Labels) -> tuple[float, float]:
    """Say how often predictions are right.

    Args:
        predicted: (n,).
        labels: (n,), one at least.

    Returns:
        The share, 0 … 1, and its standard error.
    """
    share = float((predicted == labels).mean())
    return share, standard_error(share, len(labels))


def balanced_accuracy(predicted: Labels, labels: Labels) -> tuple[float, float]:
    """Average the accuracy over the classes that occur, however rare they are.

    Args:
        predicted: (n,).
        labels: (n,), one at least.

    Returns:
        The mean, 0 … 1, and how far it is from the true one, typically.
    """
    rights = [predicted[labels == label] == label for label in np.unique(labels)]
    errors = [standard_error(float(right.mean()), len(right)) for right in rights]
    return float(np.mean([right.mean() for right in rights])), math.hypot(*errors) / len(rights)


SCORES: Mapping[str, Score] = {"top1": accuracy, "balanced_accuracy": balanced_accuracy}


def top_k(logits: Logits, labels: Labels, k: int) -> int:
    """Count images whose label is among the k highest logits.

    Args:
        logits: (n, classes).
        labels: (n,).
        k: 1 or more.

    Returns:
        How many; of equal logits the first class counts as higher.
    """
    order = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return int((order == labels[:, None]).any(axis=1).sum())


def expected_calibration_error(probabilities: npt.NDArray[np.float64], labels: Labels, bins: int = 15) -> float:
    """Compare how sure a classifier is with how often it is right.

    Args:
        probabilities: (n, classes).
        labels: (n,).
        bins: equal-width bins of confidence.

    Returns:
        Mean over images of |confidence − accuracy| of their bin, 0 … 1.

    Source:
        Guo et al. 2017 (arXiv 1706.04599).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(float((confidence[index == one] - right[index == one]).sum())) for one in np.unique(index)]
    return sum(gaps) / max(1, len(labels))


def confusion_matrix(predicted: Labels, labels: Labels, num_classes: int) -> npt.NDArray[np.int64]:
    """Count which class was taken for which.

    Args:
        predicted: (n,).
        labels: (n,).
        num_classes: number of classes.

    Returns:
        (classes, classes): row = true class, column = predicted class.
    """
    flat = np.bincount(labels * num_classes + predicted, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def classification_metrics(logits: Logits, labels: Labels) -> Iterator[tuple[str, Any]]:
    """Compute every figure that `evaluate` prints.

    Args:
        logits: (n, classes), n ≥ 1.
        labels: (n,).

    Yields:
        Name and value: top1, top5 (with 6 classes or more), interval, n, nll, ece, balanced_accuracy (mean over the
        classes that occur), macro_f1 (mean over those that occur or are predicted).
    """
    n, classes = logits.shape
    correct = top_k(logits, labels, 1)
    yield "top1", correct / n
    if classes >= 6:
        yield "top5", top_k(logits, labels, 5) / n
    yield "interval", list(wilson_interval(correct, n))
    yield "n", n
    probabilities = softmax(logits)
    yield "nll", float(-np.log(np.maximum(probabilities[np.arange(n), labels], 1e-300)).mean())
    yield "ece", expected_calibration_error(probabilities, labels)
    matrix = confusion_matrix(logits.argmax(axis=1), labels, classes)
    recall, _, f1 = per_class(matrix)
    true, predicted = matrix.sum(axis=1), matrix.sum(axis=0)
    yield "balanced_accuracy", float(recall[true > 0].mean())
    yield "macro_f1", float(f1[true + predicted > 0].mean())


def per_class(
    matrix: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Compute recall, precision and F1 of each class.

    Args:
        matrix: confusion matrix, row = true class.

    Returns:
        Three arrays (classes,); 0 where a class never occurs.
    """
    right = np.diag(matrix).astype(np.float64)
    recall = right / np.maximum(matrix.sum(axis=1), 1)
    precision = right / np.maximum(matrix.sum(axis=0), 1)
    f1 = 2 * recall * precision / np.maximum(recall + precision, 1e-12)
    return recall, precision, f1
