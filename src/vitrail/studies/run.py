"""Carry out a study: the order of things."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.core.config import require
from vitrail.core.errors import ConfigError, Interrupted
from vitrail.data.pixels import cores
from vitrail.jobs.events import Advanced, Listener, Note, silent
from vitrail.studies.calibration import make_study_plan
from vitrail.studies.claims import Verdict
from vitrail.studies.journal import Journal, prepare_journal
from vitrail.studies.page import write_page
from vitrail.studies.plan import StudyPlan
from vitrail.studies.results import Results
from vitrail.studies.schedule import Schedule
from vitrail.studies.study import Cell, Study
from vitrail.studies.table import STUDIES
from vitrail.studies.workers import run_all

MINUTES = 20.0


@dataclass(frozen=True)
class StudyRun:
    """Hold what a study gave.

    Args:
        name: of the study.
        folder: plan, runs, table, figures and page.
        plan: everything that decided the runs.
        results: the finished runs.
        verdicts: one for each claim, in their order.
        seconds: time of this session.
    """

    name: str
    folder: Path
    plan: StudyPlan
    results: Results
    verdicts: tuple[Verdict, ...]
    seconds: float

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / "study.html"

    @property
    def complete(self) -> bool:
        """Whether every planned run is done."""
        return len(self.results.records) == self.plan.seeds * len(self.plan.cells)

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `study --json` prints.

        Returns:
            study, out, page, seconds, steps, seeds, runs, complete, cells and claims.
        """
        claims = STUDIES[self.name].claims
        return {
            "study": self.name,
            "out": str(self.folder),
            "page": str(self.page),
            "seconds": self.seconds,
            "steps": self.plan.steps,
            "seeds": self.plan.seeds,
            "runs": len(self.results.records),
            "complete": self.complete,
            "cells": [
                {"cell": cell, "n": mean.n, self.results.metric: mean.value, "interval": list(mean.interval())}
                for cell, mean in ((cell, self.results.mean(cell)) for cell in self.results.cells)
            ],
            "claims": [
                {"claim": claim.sentence, "by": claim.by, "verdict": verdict.kind, "test": claim.test}
                for claim, verdict in zip(claims, self.verdicts, strict=True)
            ],
        }


def run_study(
    name: str,
    *,
    out: str | Path | None = None,
    data: str | None = None,
    minutes: float | None = None,
    processes: int | None = None,
    seeds: int | None = None,
    cells: Sequence[str] = (),
    overwrite: bool = False,
    listener: Listener = silent,
) -> StudyRun:
    """Carry out a study at laptop scale, or go on with one.

    A folder that holds a plan is gone on with: no finished run is repeated, one that was interrupted begins again. The
    time is looked at between seeds: if there is none for another one of every cell, the rest is left for the next time.

    Args:
        name: row of `STUDIES`.
        out: folder; None for `runs/study-NAME`.
        data: data reference; None for the study's.
        minutes: time for everything; None for 20.
        processes: trainings side by side, each in one thread; None for one a core.
        seeds: trainings of each cell; None for as many as the time allows, up to those that the study wants.
        cells: names of those wanted; none for all.
        overwrite: forget the runs in `out`.
        listener: is told of decisions and progress.

    Returns:
        Plan, results and verdicts; the page is written.

    Raises:
        ConfigError: for an unknown study or cell, settings that contradict the plan in `out`, or too little time.
        DataError: if the data cannot be used.
        StorageError: if the disk refuses.
        Interrupted: if Ctrl-C stopped it; finished runs are kept.
    """
    clock, study = time.perf_counter(), STUDIES[name]
    for field, value in (("minutes", minutes), ("processes", processes), ("seeds", seeds)):
        require(value is None or value > 0, field, value, "greater than 0")
    setup = study.laptop.only(cells) if cells else study.laptop
    journal = prepare_journal(Path(out or f"runs/study-{name}"), overwrite)
    plan, given = journal.read_plan(), minutes or MINUTES
    try:
        if plan:
            refuse_other(plan, name, data, seeds, setup.cells if cells else (), journal)
            listener(Note(f"{journal.folder}: going on with the plan there ({_announcement(plan)})"))
        else:
            wish = (data or setup.data, given, processes or cores(), seeds, cells)
            plan = make_study_plan(name, "laptop", *wish, listener)
            journal.write_plan(plan)
            listener(Note(_announcement(plan)))
        _do_runs(plan, journal, processes or plan.processes, clock + 60 * given, listener)
    except KeyboardInterrupt:
        hint = "the same command goes on; no finished run is repeated"
        raise Interrupted(f"interrupted; finished runs are in {journal.folder}", hint) from None
    return finish(study, name, journal, plan, time.perf_counter() - clock, listener)


def finish(study: Study, name: str, journal: Journal, plan: StudyPlan, seconds: float, listener: Listener) -> StudyRun:
    """Judge the claims by the runs there are, and write table, figures and page.

    Args:
        study: what was asked.
        name: its name.
        journal: its folder.
        plan: what was planned.
        seconds: time of this session.
        listener: is told what is missing.

    Returns:
        What the study gave.

    Raises:
        StorageError: if the disk refuses.
    """
    records = journal.read(plan)
    results = Results(records, study.metric, plan.names)
    verdicts = tuple(claim.judge(results) for claim in study.claims)
    run = StudyRun(name, journal.folder, plan, results, verdicts, seconds)
    journal.write_table(records)
    write_page(run)
    if not run.complete:
        missing = plan.seeds * len(plan.cells) - len(records)
        listener(Note(f"{missing} of the planned runs are not done; the same command goes on", warning=True))
    return run


def _announcement(plan: StudyPlan) -> str:
    left = f"; left out: {', '.join(plan.left_out)}" if plan.left_out else ""
    return (
        f"{plan.study}: {len(plan.cells)} cells, {plan.seeds} seed{'s' * (plan.seeds > 1)} each, "
        f"{plan.steps:,} steps a training, {plan.processes} at once{left}"
    )


def _do_runs(plan: StudyPlan, journal: Journal, processes: int, deadline: float, listener: Listener) -> None:
    schedule = Schedule(plan, journal.read(plan), journal.folder, deadline)
    for record, seconds in run_all(schedule.choose, processes):
        schedule.note(record, seconds)
        listener(Advanced(f"{plan.study}: runs", len(schedule.done), plan.seeds * len(plan.cells)))


def refuse_other(
    plan: StudyPlan, name: str, data: str | None, seeds: int | None, cells: Sequence[Cell], journal: Journal
) -> None:
    """Refuse to go on with a plan that is not the one asked for.

    Args:
        plan: the one in the folder.
        name: of the study.
        data: data reference; None for any.
        seeds: how many; None for any.
        cells: those wanted; none for any.
        journal: the folder.

    Raises:
        ConfigError: if they differ, naming how.
    """
    wanted = tuple(cell.name for cell in cells if cell.name not in plan.left_out)
    asked: dict[str, tuple[Any, Any]] = {
        "study": (name, plan.study),
        "data": (data or plan.data, plan.data),
        "seeds": (seeds or plan.seeds, plan.seeds),
        "cells": (wanted or plan.names, plan.names),
    }
    for field, (new, old) in asked.items():
        if new != old:
            raise ConfigError(
                f"{journal.folder} holds a study with {field} = {old!r}, but {new!r} was asked for",
                hint="give another --out, or --overwrite to begin again",
            )
