"""Which run comes next: seed after seed, so that an interruption leaves every cell with as many runs as the others."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from vitrail.studies.plan import StudyPlan
from vitrail.studies.results import Record
from vitrail.studies.task import Task


class Schedule:
    """Hand out the runs of a plan that are not done.

    Args:
        plan: what is to be done.
        done: records of the runs that are.
        folder: of the study.
        deadline: `time.perf_counter()` after which no new seed is begun; the first that is missing always is.
    """

    def __init__(self, plan: StudyPlan, done: Collection[Record], folder: Path, deadline: float) -> None:
        self.plan, self.deadline = plan, deadline
        self.done = {(record.cell, record.seed) for record in done}
        self.tasks = [
            Task(plan.study, plan.scale, plan.data, cell, seed, plan.steps, folder)
            for seed in range(plan.seeds)
            for cell in plan.names
            if (cell, seed) not in self.done
        ]
        self._seed: int | None = None
        self._actual = self._expected = 0.0
        self._paces = {cell.name: cell for cell in plan.cells}

    def choose(self) -> Task | None:
        """Hand out a run.

        Returns:
            The first run whose weights to start from, if it needs any, are there; None if there is none now. If there
            is no time for another seed of every cell, there is none any more.
        """
        for task in self.tasks:
            start = task.variation.start
            if start and (start, task.seed) not in self.done:
                continue
            if task.seed != self._seed:
                if self._seed is not None and task.seed > self._seed and self._late():
                    self.tasks.clear()
                    return None
                self._seed = max(task.seed, self._seed or 0)
            self.tasks.remove(task)
            return task
        return None

    def note(self, record: Record, seconds: float) -> None:
        """Take notice of a run that is done.

        Args:
            record: what it gave.
            seconds: that it took.
        """
        self.done.add((record.cell, record.seed))
        pace = self._paces[record.cell]
        self._actual += seconds
        self._expected += pace.around + pace.step * record.steps

    def _late(self) -> bool:
        """Say whether another seed would end too late, at the pace that there really is."""
        setup = Task(self.plan.study, self.plan.scale, "", "", 0, 1, Path()).setup
        slower = max(1.0, self._actual / self._expected) if self._expected else 1.0
        return time.perf_counter() + slower * self.plan.round_seconds(setup) > self.deadline
