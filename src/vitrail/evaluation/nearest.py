"""Nearest neighbours among frozen features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vitrail.evaluation.metrics import Labels

TEMPERATURE = 0.07
SIMILARITIES_AT_ONCE = 2**24


def neighbour_votes(
    x: npt.NDArray[Any], y: Labels, points: npt.NDArray[Any], num_classes: int, counts: Sequence[float]
) -> Iterator[npt.NDArray[np.float64]]:
    """Let the most similar images vote for their classes, each with exp(cosine ÷ 0.07).

    Args:
        x: (n, dim) features that have labels.
        y: (n,) labels, 0 … num_classes − 1.
        points: (m, dim) features to answer for.
        num_classes: number of classes.
        counts: how many neighbours vote, 1 or more; where there are fewer, all of them.

    Yields:
        (m, num_classes) sums of votes, for each count.

    Source:
        Wu et al. 2018 (arXiv 1805.01978), section 3.4; as DINO measures it (arXiv 2104.14294).
    """
    known, asked = (_normalised(part) for part in (x, points))
    most = min(int(max(counts)), len(x))
    parts = torch.split(asked, max(1, SIMILARITIES_AT_ONCE // max(1, len(known))))
    found = [torch.topk(part @ known.T, most) for part in parts]
    votes = np.exp(torch.cat([one.values for one in found]).numpy().astype(np.float64) / TEMPERATURE)
    voters = y[torch.cat([one.indices for one in found]).numpy()]
    cells = np.arange(len(points))[:, None] * num_classes + voters
    for count in counts:
        nearest = slice(None), slice(int(count))
        sums = np.bincount(cells[nearest].ravel(), votes[nearest].ravel(), minlength=len(points) * num_classes)
        yield np.asarray(sums, dtype=np.float64).reshape(len(points), num_classes)


def _normalised(features: npt.NDArray[Any]) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(features.astype(np.float32)), dim=1)
