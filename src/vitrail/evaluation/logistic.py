"""Logistic regression on frozen features: what is commonly called a linear probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vitrail.evaluation.metrics import Labels

TOLERANCE = 1e-5
"""Largest derivative of the mean loss at which the search ends."""
MOST_STEPS = 200


def logistic_regression(
    x: npt.NDArray[Any], y: Labels, points: npt.NDArray[Any], num_classes: int, penalties: Sequence[float]
) -> Iterator[npt.NDArray[np.float64]]:
    """Fit a linear classifier of standardised features by cross-entropy, its weights held small; the bias is free.

    The sum of the cross-entropies and ½ λ ‖W‖² has one minimum: the same as scikit-learn's with C = 1/λ.

    Args:
        x: (n, dim) features to learn from; they are standardised, and so are the points with their mean and deviation.
        y: (n,) labels, 0 … num_classes − 1.
        points: (m, dim) features to answer for.
        num_classes: number of classes.
        penalties: λ, each greater than 0; the search for each begins where the one before ended, so from the largest
            to the smallest is fastest.

    Yields:
        (m, num_classes) logits, for each penalty.
    """
    mean, deviation = x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64) + 1e-5
    known, asked = (torch.from_numpy((part - mean) / deviation) for part in (x, points))
    weight = torch.zeros(known.shape[1], num_classes, dtype=known.dtype, requires_grad=True)
    bias = torch.zeros(num_classes, dtype=known.dtype, requires_grad=True)
    labels = torch.from_numpy(y)
    for penalty in penalties:
        _minimise(known, labels, weight, bias, penalty / len(known))
        yield torch.addmm(bias, asked, weight).detach().numpy()


def logistic_head(
    x: npt.NDArray[Any], y: Labels, num_classes: int, penalty: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Fit the same classifier, and give it as a linear layer of the features as they are.

    Args:
        x: (n, dim) features to learn from.
        y: (n,) labels, 0 … num_classes − 1.
        num_classes: number of classes.
        penalty: λ, greater than 0.

    Returns:
        (num_classes, dim) weights and (num_classes,) bias.
    """
    points = np.vstack([np.zeros(x.shape[1]), np.eye(x.shape[1])])  # an affine map is known by these
    (scores,) = logistic_regression(x, y, points, num_classes, (penalty,))
    return (scores[1:] - scores[0]).T, scores[0]


def _minimise(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, decay: float) -> None:
    search = torch.optim.LBFGS(
        [weight, bias], max_iter=MOST_STEPS, tolerance_grad=TOLERANCE, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        search.zero_grad()
        value = torch.nn.functional.cross_entropy(torch.addmm(bias, x, weight), y) + decay / 2 * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
