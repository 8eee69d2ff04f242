"""Whether something grows with depth: a rank correlation, and how often chance gives as much."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEVEL = 0.05
EXACT = 7
"""Up to so many blocks every order is tried (7! = 5,040); beyond, `DRAWS` of them at random."""
DRAWS = 50_000


@dataclass(frozen=True)
class Trend:
    """Hold how a figure goes with depth.

    Args:
        rho: Spearman's rank correlation, −1 … 1; NaN if the figure is the same everywhere, or there is one block.
        p_rising: how often a random order of the blocks correlates as much or more.
        p_falling: how often as little or less.
        n: number of blocks.
    """

    rho: float
    p_rising: float
    p_falling: float
    n: int

    @property
    def verdict(self) -> str:
        """Say "rises", "falls" or, where neither is separated from chance at the 5 % level (one-sided), "open"."""
        if self.p_rising < LEVEL:
            return "rises"
        return "falls" if self.p_falling < LEVEL else "open"


def depth_trend(values: Sequence[float] | npt.NDArray[np.float64]) -> Trend:
    """Test whether a figure grows or shrinks with depth.

    Args:
        values: one a block, first block first.

    Returns:
        Spearman's rank correlation of the block's number and the figure, with one-sided permutation tests.

    Source:
        Spearman 1904; ties get their mean rank.
    """
    figure = np.asarray(values, dtype=np.float64)
    n = len(figure)
    if n < 2 or not np.isfinite(figure).all() or np.ptp(figure) == 0:
        return Trend(math.nan, 1.0, 1.0, n)
    depth, rank = np.arange(n) - (n - 1) / 2, _ranks(figure)
    scale = math.sqrt(float(depth @ depth) * float(rank @ rank))
    rho = float(depth @ rank) / scale
    if n <= EXACT:
        orders = np.array(list(itertools.permutations(rank)))
    else:
        generator = np.random.default_rng(0)
        orders = np.vstack([rank, generator.permuted(np.tile(rank, (DRAWS, 1)), axis=1)])
    chance = orders @ depth / scale
    return Trend(rho, float((chance >= rho - 1e-12).mean()), float((chance <= rho + 1e-12).mean()), n)


def _ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rank from the mean: ties share theirs."""
    below = (values[:, None] > values).sum(axis=1)
    same = (values[:, None] == values).sum(axis=1)
    return below + (same - 1) / 2 - (len(values) - 1) / 2
