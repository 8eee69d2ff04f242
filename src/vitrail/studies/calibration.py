"""Making a plan: how long a step of each cell takes here, and what fits into the time that is given."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from vitrail.jobs.events import Advanced, Listener
from vitrail.jobs.trial import Pace, measure_pace
from vitrail.studies.plan import CellPlan, StudyPlan, fit_into
from vitrail.studies.table import STUDIES
from vitrail.studies.task import Task, make_trial, one_thread

SHARE = 0.05
"""Part of the time that measuring may take."""


def make_study_plan(
    name: str,
    scale: str,
    data: str,
    minutes: float,
    processes: int,
    seeds: int | None,
    cells: Sequence[str],
    listener: Listener,
) -> StudyPlan:
    """Measure each cell for a moment, and fix steps and seeds.

    Args:
        name: name of the study.
        scale: "laptop".
        data: data reference.
        minutes: time for everything.
        processes: trainings side by side.
        seeds: how many; None for as many as the study wants and the time allows.
        cells: names of those wanted; none for all.
        listener: is told how far it is.

    Returns:
        The plan.

    Raises:
        ConfigError: for an unknown cell, or if there is no time for one training of each.
        DataError: if the data cannot be used.
    """
    study, begun, seconds = STUDIES[name], time.perf_counter(), 60 * minutes
    setup = study.setup(scale)
    setup = setup.only(cells) if cells else setup
    paces: dict[str, CellPlan] = {}
    for number, cell in enumerate(setup.cells):
        listener(Advanced(f"{name}: measuring", number, len(setup.cells)))
        if time.perf_counter() - begun > seconds:  # too late to run anything, but what it would take can be said
            pace = Pace(fmean(one.step for one in paces.values()), fmean(one.around for one in paces.values()))
        else:
            pace = _pace(Task(name, scale, data, cell.name, 0, 1, Path()), SHARE * seconds / len(setup.cells))
        paces[cell.name] = CellPlan(cell.name, pace.step, pace.around)
    listener(Advanced(f"{name}: measuring", len(setup.cells), len(setup.cells)))
    spent = time.perf_counter() - begun
    steps, count, left_out = fit_into(setup, paces, seconds, spent, processes, seeds)
    kept = tuple(pace for cell, pace in paces.items() if cell not in left_out)
    return StudyPlan(name, scale, data, steps, count, kept, left_out, minutes, processes)


def _pace(task: Task, seconds: float) -> Pace:
    """Measure one cell; a run that is no training has no steps."""
    with one_thread():
        if task.of.run is None:
            return measure_pace(make_trial(task, calibrating=True), seconds)
        clock = time.perf_counter()
        task.of.run(task)
        return Pace(0.0, time.perf_counter() - clock)
