"""The runs of a study, and what is computed from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitrail.evaluation.student import Mean, mean_of


@dataclass(frozen=True)
class Record:
    """Hold what one run gave.

    Args:
        cell: name of its cell.
        seed: its seed.
        steps: optimizer steps.
        figures: name → number.
    """

    cell: str
    seed: int
    steps: int
    figures: Mapping[str, float]


class Results:
    """Hold the finished runs of a study.

    Args:
        records: in any order.
        metric: the figure that is meant where none is named.
        cells: all cells of the study that were planned, in its order.
    """

    def __init__(self, records: Sequence[Record], metric: str, cells: Sequence[str]) -> None:
        self.records, self.metric, self.cells = tuple(records), metric, tuple(cells)
        self._by_cell = {
            cell: {one.seed: one for one in sorted(records, key=lambda one: one.seed) if one.cell == cell}
            for cell in self.cells
        }

    def values(self, cell: str, metric: str = "") -> dict[int, float]:
        """List a figure of a cell's runs.

        Args:
            cell: name.
            metric: name of the figure; "" for the study's.

        Returns:
            seed → number; empty for a cell without runs.
        """
        runs = self._by_cell.get(cell, {})
        name = metric or self.metric
        return {seed: run.figures[name] for seed, run in runs.items() if name in run.figures}

    def mean(self, cell: str, metric: str = "") -> Mean:
        """Average a figure over a cell's runs.

        Args:
            cell: name.
            metric: name of the figure; "" for the study's.

        Returns:
            Its mean over seeds.
        """
        return mean_of(list(self.values(cell, metric).values()))

    def contrast(self, weights: Mapping[str, float], metric: str = "") -> list[float]:
        """Combine cells seed by seed, so that what a seed does to all of them cancels out.

        Args:
            weights: cell → weight, such as {"1-D": 1, "none": -1} for a difference.
            metric: name of the figure; "" for the study's.

        Returns:
            One number for each seed that all these cells have.
        """
        values = {cell: self.values(cell, metric) for cell in weights}
        seeds = sorted(set.intersection(*(set(one) for one in values.values()))) if values else []
        return [sum(weight * values[cell][seed] for cell, weight in weights.items()) for seed in seeds]
