"""Least squares on frozen features: the few-shot figure of the ViT paper, and the same for any penalty."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import DataError
from vitrail.evaluation.metrics import Labels

BIAS = 100.0
"""A constant feature that stands for the bias: so large that the penalty hardly reaches it."""
PENALTY = 2.0**10


def few_shot(x: Any, y: Any, x_test: Any, y_test: Any, shots: int, seed: int) -> float:
    """Measure how well a few labelled images of each class are enough: the paper's few-shot accuracy.

    Args:
        x: (n, dim) features of the pool.
        y: (n,) its labels.
        x_test: (m, dim) features that the accuracy is measured on.
        y_test: (m,) their labels.
        shots: images of each class, 1 or more.
        seed: decides which; one generator is shared by the classes in the order of their labels.

    Returns:
        Part of the test images classified rightly, 0 … 1.

    Raises:
        DataError: if the pool has one class, or fewer images of a class than `shots`.

    Source:
        Dosovitskiy et al. 2020 (arXiv 2010.11929), section 4.1; big_vision's `fewshot_lsr`, in float64.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y)
    labels, codes = np.unique(y, return_inverse=True)
    chosen = draw_shots(codes, len(labels), shots, seed, [str(label) for label in labels.tolist()])
    (scores,) = least_squares(x[chosen], codes[chosen], np.asarray(x_test), len(labels), (PENALTY,))
    return float((labels[scores.argmax(axis=1)] == np.asarray(y_test)).mean())


def draw_shots(y: Labels, num_classes: int, shots: int, seed: int, names: Sequence[str]) -> Labels:
    """Draw a few images of each class.

    Args:
        y: (n,) labels of the pool, 0 … num_classes − 1.
        num_classes: number of classes.
        shots: images of each class.
        seed: of the generator.
        names: what the classes are called.

    Returns:
        (num_classes · shots,) indices, class after class.

    Raises:
        DataError: if there is one class, or a class has fewer images than `shots`.
    """
    if shots < 1:
        raise DataError(f"shots = {shots} is not allowed; allowed: 1 or more")
    counts = np.bincount(y, minlength=num_classes)
    require_classes(counts, names)
    if counts.min() < shots:
        which = int(counts.argmin())
        raise DataError(
            f"class {names[which]!r} has {counts[which]:,} images to learn from, fewer than shots = {shots}",
            hint=f"take {counts[which]} shots, or give more images of it" if counts[which] else "give images of it",
        )
    generator = np.random.default_rng(seed)
    return np.concatenate([generator.permutation(np.flatnonzero(y == code))[:shots] for code in range(num_classes)])


def require_classes(counts: npt.NDArray[np.int64], names: Sequence[str]) -> None:
    """Refuse to tell classes apart where there is but one.

    Args:
        counts: (classes,) images of each.
        names: what the classes are called.

    Raises:
        DataError: if fewer than two classes have images.
    """
    found = [name for name, count in zip(names, counts, strict=True) if count]
    if len(found) < 2:
        raise DataError(
            f"all images to learn from are of one class, {found[0]!r}" if found else "there is no image to learn from",
            hint="a probe needs labelled images of two classes or more",
        )


def least_squares(
    x: npt.NDArray[Any], y: Labels, points: npt.NDArray[Any], num_classes: int, penalties: Sequence[float]
) -> Iterator[npt.NDArray[np.float64]]:
    """Map features to +1 for the right class and −1 for every other, by regularised least squares in closed form.

    Args:
        x: (n, dim) features to learn from; they are standardised, and so are the points with their mean and deviation.
        y: (n,) labels, 0 … num_classes − 1.
        points: (m, dim) features to answer for.
        num_classes: number of classes.
        penalties: each greater than 0; one decomposition serves them all.

    Yields:
        (m, num_classes) scores, for each penalty.

    Source:
        big_vision's `fewshot_lsr`: with at least as many images as features (XᵀX + λI)⁻¹XᵀY, else Xᵀ(XXᵀ + λI)⁻¹Y.
    """
    x = x.astype(np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-5
    x, points = (np.pad((part - mean) / deviation, ((0, 0), (0, 1)), constant_values=BIAS) for part in (x, points))
    targets = 2 * np.eye(num_classes)[y] - 1
    primal = len(x) >= x.shape[1]
    squares, vectors = np.linalg.eigh(x.T @ x if primal else x @ x.T)
    known = vectors.T @ (x.T @ targets if primal else targets)
    asked = points @ (vectors if primal else x.T @ vectors)
    for penalty in penalties:
        yield (asked / (squares + penalty)) @ known
