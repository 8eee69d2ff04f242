"""A study at the paper's own scale: what it would cost, whether it could begin, and beginning it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.bench.cost import count_cost
from vitrail.core.errors import ConfigError
from vitrail.data.sources import open_dataset
from vitrail.jobs.events import Listener, Note, silent
from vitrail.jobs.fit import fit
from vitrail.jobs.trial import measure_model
from vitrail.studies.journal import Journal, prepare_journal
from vitrail.studies.plan import CellPlan, StudyPlan
from vitrail.studies.results import Record
from vitrail.studies.run import StudyRun, finish, refuse_other
from vitrail.studies.study import Setup
from vitrail.studies.table import STUDIES
from vitrail.studies.task import Task, make_model, make_recipe, open_data
from vitrail.weights.model_file import load_model

TRAINING_FLOPS = 6
"""FLOPs of a training ÷ (MACs of the forward pass · images): two for each of forward, and backward twice that."""


@dataclass(frozen=True)
class FullCell:
    """Hold what one cell costs at the paper's scale.

    Args:
        name: of the cell.
        parameters: of its model.
        macs: of one image.
        tokens: of one image.
        epochs: passes over the training images.
        batch_size: images a step.
        exaflops: of a whole training; None without data, whose number of images decides.
    """

    name: str
    parameters: int
    macs: int
    tokens: int
    epochs: int
    batch_size: int
    exaflops: float | None


def exaflops(macs: float, images: float) -> float:
    """Compute what a training costs.

    Args:
        macs: multiply-accumulates of one image.
        images: images seen, each as often as it is.

    Returns:
        10¹⁸ floating-point operations.

    Source:
        Dosovitskiy et al. 2020, table 6: equals its column within 2.5 % for 303 million images an epoch.
    """
    return TRAINING_FLOPS * macs * images / 1e18


def describe_full(name: str, data: str | None = None, cells: Sequence[str] = ()) -> list[FullCell]:
    """Check the paper's own configuration, and say what it costs. Nothing is trained.

    Args:
        name: row of `STUDIES`.
        data: data reference; None to leave open what depends on it.
        cells: names of those wanted; none for all.

    Returns:
        One row a cell.

    Raises:
        ConfigError: for an unknown study or cell, or a model or recipe that does not fit.
        DataError: if the data cannot be used.
    """
    setup = _setup(name, cells)
    dataset = open_dataset(data) if data else None
    rows = []
    for cell in setup.cells:
        recipe, config = make_recipe(setup, cell), make_model(setup, cell)
        images = 0
        if dataset:
            changed = cell.data(dataset, 0) if cell.data else dataset
            config, images = config.updated(num_classes=len(changed.classes)), len(changed.splits["train"])
        cost, epochs = count_cost(config), recipe.epochs or 1
        whole = exaflops(cost.macs, images * epochs) if dataset else None
        rows.append(FullCell(cell.name, cost.parameters, cost.macs, cost.tokens, epochs, recipe.batch_size, whole))
    return rows


def launch_full(
    name: str,
    data: str | None,
    *,
    out: str | Path | None = None,
    seeds: int | None = None,
    cells: Sequence[str] = (),
    listener: Listener = silent,
) -> StudyRun:
    """Carry out the paper's own configuration, one `fit` a run, each in a folder of its own below `fits/`.

    A folder that holds a plan is gone on with: no finished run is repeated, and one that was interrupted is resumed.

    Args:
        name: row of `STUDIES`.
        data: data reference; None for the study's, if it has one.
        out: folder; None for `runs/study-NAME-paper`.
        seeds: trainings of each cell; None for as many as the study wants.
        cells: names of those wanted; none for all.
        listener: is told of decisions and progress.

    Returns:
        Plan, results and verdicts; the page is written.

    Raises:
        ConfigError: for an unknown study or cell, missing data, or settings that contradict the plan in `out`.
        DataError: if the data cannot be used.
        StorageError: if the disk refuses.
        Interrupted: if a signal stopped it; a checkpoint was written.
    """
    clock, study, setup = time.perf_counter(), STUDIES[name], _setup(name, cells)
    reference = data or setup.data
    if not reference:
        raise ConfigError(f"study {name} at the paper's scale has no data of its own", hint="give --data DATA")
    journal = prepare_journal(Path(out or f"runs/study-{name}-paper"), overwrite=False)
    plan = journal.read_plan()
    if plan:
        refuse_other(plan, name, data, seeds, setup.cells if cells else (), journal)
    else:
        open_dataset(reference)
        plans = tuple(CellPlan(cell.name, 0.0, 0.0) for cell in setup.cells)
        plan = StudyPlan(name, "paper", reference, 1, seeds or setup.seeds, plans)
        journal.write_plan(plan)
    done = {(record.cell, record.seed) for record in journal.read(plan)}
    for seed in range(plan.seeds):
        for cell in plan.names:
            if (cell, seed) not in done:
                task = Task(name, "paper", plan.data, cell, seed, 1, journal.folder)
                listener(Note(f"{cell}, seed {seed}"))
                journal.write(_fit(task, journal, listener))
    return finish(study, name, journal, plan, time.perf_counter() - clock, listener)


def _setup(name: str, cells: Sequence[str]) -> Setup:
    setup = STUDIES[name].full
    return setup.only(cells) if cells else setup


def _fit(task: Task, journal: Journal, listener: Listener) -> Record:
    """Train one cell as `vitrail fit` does, and measure features as trials are measured."""
    cell, setup = task.variation, task.setup
    folder = _folder(journal, task.cell, task.seed)
    start: dict[str, Any] = {"model": make_model(setup, cell)}
    if cell.start:
        start = {"model": _folder(journal, cell.start, task.seed), "settings": dict(cell.model)}
    dataset, begun = open_data(task), time.perf_counter()
    run = fit(
        dataset,
        recipe=make_recipe(setup, cell),
        out=folder,
        seed=task.seed,
        resume=(folder / "config.toml").exists(),
        listener=listener,
        **start,
    )
    model, record = load_model(folder / "model.safetensors")
    cost, images = count_cost(model.config), run.plan.steps * run.plan.recipe.batch_size
    figures = {
        **measure_model(model, dataset, record.spec),
        "seconds": time.perf_counter() - begun,
        "parameters": float(cost.parameters),
        "macs": float(cost.macs),
        "tokens": float(cost.tokens),
        "images": float(images),
    }
    return Record(task.cell, task.seed, run.plan.steps, figures)


def _folder(journal: Journal, cell: str, seed: int) -> Path:
    return journal.folder / "fits" / journal.stem(cell, seed).name
