"""All studies, one after another, and the book of their pages."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError
from vitrail.core.files import write_atomically
from vitrail.jobs.events import Listener, Note, silent
from vitrail.report.study_data import Book
from vitrail.report.study_page import render_book
from vitrail.studies.page import gather
from vitrail.studies.run import MINUTES, StudyRun, run_study
from vitrail.studies.table import STUDIES


@dataclass(frozen=True)
class BookRun:
    """Hold what all studies gave.

    Args:
        folder: one folder a study, and the book.
        runs: the studies that ran.
        missing: name → why a study could not be done.
        seconds: time of this session.
    """

    folder: Path
    runs: tuple[StudyRun, ...]
    missing: dict[str, str]
    seconds: float

    @property
    def page(self) -> Path:
        """The book."""
        return self.folder / "index.html"

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `study all --json` prints.

        Returns:
            out, page, seconds, studies and missing.
        """
        studies = [run.to_json() for run in self.runs]
        place = {"out": str(self.folder), "page": str(self.page), "seconds": self.seconds}
        return {**place, "studies": studies, "missing": self.missing}


def run_all_studies(
    *,
    out: str | Path | None = None,
    data: str | None = None,
    minutes: float | None = None,
    processes: int | None = None,
    seeds: int | None = None,
    names: Sequence[str] = (),
    overwrite: bool = False,
    listener: Listener = silent,
) -> BookRun:
    """Carry out all studies at laptop scale, each in its share of the time, or go on with them.

    Args:
        out: folder; None for `runs/studies`.
        data: data reference; None for each study's own.
        minutes: time for all of them together; None for 20 each. What a study leaves over goes to those after it.
        processes: trainings side by side; None for one a core.
        seeds: trainings of each cell; None for as many as the time allows.
        names: of studies; none for all.
        overwrite: forget their runs.
        listener: is told of decisions and progress.

    Returns:
        What they gave; the book is written.

    Raises:
        ConfigError: if the time is too short for every study.
        DataError: if the data cannot be used.
        StorageError: if the disk refuses.
        Interrupted: if Ctrl-C stopped it; finished runs are kept.
    """
    clock, folder = time.perf_counter(), Path(out or "runs/studies")
    wanted = list(names or STUDIES)
    whole = minutes or MINUTES * len(wanted)
    runs: list[StudyRun] = []
    missing: dict[str, str] = {}
    wish: dict[str, Any] = {"data": data, "processes": processes, "seeds": seeds, "overwrite": overwrite}
    for number, name in enumerate(wanted):
        left = whole - (time.perf_counter() - clock) / 60
        share = max(1e-6, left / (len(wanted) - number))
        try:
            runs.append(run_study(name, out=folder / name, minutes=share, listener=listener, **wish))
        except ConfigError as error:
            missing[name] = error.message
            listener(Note(f"{name}: {error}", warning=True))
    if not runs:
        name, why = next(iter(missing.items()))
        raise ConfigError(f"no study could be done; {name}: {why}", hint="give more --minutes")
    run = BookRun(folder, tuple(runs), missing, time.perf_counter() - clock)
    pages = [(gather(one), f"{one.name}/{one.page.name}") for one in runs]
    write_atomically(run.page, render_book(Book(pages, tuple(missing.items()), _computed(runs))))
    return run


def _computed(runs: Sequence[StudyRun]) -> float:
    return sum(record.figures.get("seconds", 0.0) for run in runs for record in run.results.records)
