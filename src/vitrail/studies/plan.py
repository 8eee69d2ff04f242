"""How the time that is given becomes steps and seeds: measured once, written down, and repeated exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.studies.study import Cell, Setup

SAFETY = 0.85
"""Part of the time that is planned for; the rest is for the measuring before, and for a machine that slows down."""
FEWEST = 10
"""Steps below which a training is not worth the name."""


@dataclass(frozen=True)
class CellPlan:
    """Hold what was measured of one cell.

    Args:
        name: the cell.
        step: seconds a step.
        around: seconds for reading the images and measuring the model.
    """

    name: str
    step: float
    around: float


@dataclass(frozen=True)
class StudyPlan:
    """Hold everything that decides the runs of a study; `plan.toml` is this.

    Args:
        study: name of the study.
        scale: "laptop" or "paper".
        data: data reference.
        steps: optimizer steps of a training.
        seeds: trainings of each cell; their seeds are 0 … seeds − 1.
        cells: names of the cells, and their pace as it was measured, which decides nothing any more.
        left_out: names of the cells that the time did not suffice for.
        minutes: the time that was given.
        processes: trainings side by side.

    Raises:
        ConfigError: for a number that is not allowed.
    """

    study: str
    scale: str
    data: str
    steps: int
    seeds: int
    cells: tuple[CellPlan, ...]
    left_out: tuple[str, ...] = ()
    minutes: float = 20.0
    processes: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "seeds", "processes"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the cells."""
        return tuple(cell.name for cell in self.cells)

    def round_seconds(self, setup: Setup) -> float:
        """Say how long one seed of every cell takes.

        Args:
            setup: the study at this scale.

        Returns:
            Seconds, by the pace that was measured.
        """
        return _round(setup, {cell.name: cell for cell in self.cells}, self.steps) / self.processes


def fit_into(
    setup: Setup,
    paces: Mapping[str, CellPlan],
    seconds: float,
    spent: float = 0.0,
    processes: int = 1,
    seeds: int | None = None,
) -> tuple[int, int, tuple[str, ...]]:
    """Choose steps and seeds, on equal terms for every cell.

    As many seeds as the study wants, if each then has as many steps as it wants at least; else one seed fewer, and so
    on down to one; then without the optional cells. Time that even the most steps leave over goes into more seeds, up
    to three times those wanted.

    Args:
        setup: the study at this scale.
        paces: cell → its pace.
        seconds: time for everything.
        spent: part of it that is gone.
        processes: trainings side by side.
        seeds: how many, where the user said so.

    Returns:
        Steps, seeds, names of the cells that are left out.

    Raises:
        ConfigError: if there is no time for one training of each cell.
    """
    (least, most), time = setup.steps, max(0.0, seconds * SAFETY - spent)
    optional = tuple(cell.name for cell in setup.cells if cell.optional)
    for left_out in dict.fromkeys(((), optional)):
        kept = {name: pace for name, pace in paces.items() if name not in left_out}
        last = left_out == optional  # one seed of every cell tells less than two of the most important ones
        for count in (seeds,) if seeds else range(setup.seeds, 0 if last else 1, -1):
            steps = _steps(setup, kept, time, processes, count)
            if steps >= (FEWEST if last and count == (seeds or 1) else least):
                if steps > most and not seeds:
                    count = max(count, min(3 * setup.seeds, int(time * processes / _round(setup, kept, most))))
                return min(steps, most), count, left_out
    needed = (_time(setup, kept, FEWEST, processes, seeds or 1) + spent) / SAFETY
    raise ConfigError(
        f"{seconds / 60:.3g} minutes are too short for one training of each of {len(kept)} cells",
        hint=f"give --minutes {math.ceil(needed / 6) / 10:.1f} or more, or fewer cells with --cells",
    )


def _steps(setup: Setup, paces: Mapping[str, CellPlan], time: float, processes: int, seeds: int) -> int:
    """Count the steps that fit, to two digits; 0 if none do."""
    low, high = 0, 10**7
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _time(setup, paces, middle, processes, seeds) <= time else (low, middle - 1)
    return low - low % 10 ** max(0, len(str(low)) - 2)


def _time(setup: Setup, paces: Mapping[str, CellPlan], steps: int, processes: int, seeds: int) -> float:
    """Add up the seconds of all trainings; those side by side end together but for the last one."""
    alone = (processes - 1) / processes * max(_seconds(setup.cell(name), pace, steps) for name, pace in paces.items())
    return seeds * _round(setup, paces, steps) / processes + alone


def _seconds(cell: Cell, pace: CellPlan, steps: int) -> float:
    return pace.around + pace.step * cell.count_steps(steps)


def _round(setup: Setup, paces: Mapping[str, CellPlan], steps: int) -> float:
    return sum(_seconds(setup.cell(name), pace, steps) for name, pace in paces.items())
