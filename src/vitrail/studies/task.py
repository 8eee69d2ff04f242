"""One run of a study: a cell and a seed become figures, and a file in the journal."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from vitrail.bench.cost import count_cost
from vitrail.core.config import from_dict
from vitrail.core.override import override
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset
from vitrail.jobs.trial import Outcome, Trial, run_trial
from vitrail.models.config import ViTConfig
from vitrail.models.variants import variant_fields
from vitrail.studies.journal import Journal
from vitrail.studies.results import Record
from vitrail.studies.study import Cell, Setup, Study
from vitrail.studies.table import STUDIES
from vitrail.train.recipe import Recipe
from vitrail.train.recipes import RECIPES
from vitrail.weights.model_file import ModelRecord, load_model, save_model


@dataclass(frozen=True)
class Task:
    """Name one run; plain words, so that another process can be told.

    Args:
        study: name of the study.
        scale: "laptop" or "paper".
        data: data reference.
        cell: name of the cell.
        seed: seed of everything random, the split of the data included.
        steps: optimizer steps of the plan.
        folder: of the study.
    """

    study: str
    scale: str
    data: str
    cell: str
    seed: int
    steps: int
    folder: Path

    @property
    def of(self) -> Study:
        """The study."""
        return STUDIES[self.study]

    @property
    def setup(self) -> Setup:
        """The study at this scale."""
        return self.of.setup(self.scale)

    @property
    def variation(self) -> Cell:
        """The cell."""
        return self.setup.cell(self.cell)


def make_trial(task: Task, calibrating: bool = False) -> Trial:
    """Say what the training of a run is.

    Args:
        task: which run.
        calibrating: whether only its pace is wanted, so that the weights it starts from need not exist.

    Returns:
        The trial.

    Raises:
        ConfigError: if model or recipe do not exist or do not fit.
        DataError: if the data cannot be used.
        WeightsError: if the weights that it starts from cannot be read.
    """
    cell, start = task.variation, None
    if cell.start and not calibrating:
        start, _ = load_model(Journal(task.folder).model_file(cell.start, task.seed))
    config, recipe = make_model(task.setup, cell), make_recipe(task.setup, cell)
    steps = cell.count_steps(task.steps)
    return Trial(open_data(task), config, recipe, steps, task.seed, start, task.setup.validate)


def make_model(setup: Setup, cell: Cell) -> ViTConfig:
    """Build the architecture of a cell.

    Args:
        setup: the study at one scale.
        cell: the cell.

    Returns:
        The config; classes and channels are not yet those of the data.

    Raises:
        ConfigError: for unknown names and values that are not allowed.
    """
    variant = variant_fields(setup.variant) if setup.variant else {}
    return ViTConfig.of(**{**variant, **setup.model, **cell.model})


def make_recipe(setup: Setup, cell: Cell) -> Recipe:
    """Build the recipe of a cell.

    Args:
        setup: the study at one scale.
        cell: the cell.

    Returns:
        The recipe.

    Raises:
        ConfigError: for unknown names and values that are not allowed.
    """
    recipe = RECIPES[setup.recipe] if setup.recipe else from_dict(Recipe, {})
    return override(recipe, {**setup.settings, **cell.recipe})


def open_data(task: Task) -> Dataset:
    """Open the data of a run.

    Args:
        task: which run.

    Returns:
        The cell's data, split by the run's seed.

    Raises:
        DataError: if they cannot be used.
    """
    dataset = _opened(task.data, task.seed)
    change = task.variation.data
    return change(dataset, task.seed) if change else dataset


@functools.lru_cache(maxsize=2)
def _opened(reference: str, seed: int) -> Dataset:
    return open_dataset(reference, seed)


def carry_out(task: Task) -> Record:
    """Do one run and write it down.

    Args:
        task: which.

    Returns:
        What it gave; a run that is in the journal already is not done again by whoever asks first.

    Raises:
        VitrailError: if model, recipe or data cannot be used, or the disk refuses.
    """
    cell = task.variation
    journal = Journal(task.folder)
    with one_thread():
        figures = task.of.run(task) if task.of.run else _train(task, journal)
    record = Record(task.cell, task.seed, cell.count_steps(task.steps), figures)
    journal.write(record)
    return record


def _train(task: Task, journal: Journal) -> dict[str, float]:
    trial = make_trial(task)
    outcome = run_trial(trial)
    if any(other.start == task.cell for other in task.setup.cells):
        _keep(journal.model_file(task.cell, task.seed), trial, outcome)
    cost = count_cost(outcome.model.config)
    return {
        **outcome.figures,
        "parameters": float(cost.parameters),
        "macs": float(cost.macs),
        "tokens": float(cost.tokens),
        "images": float(trial.steps * trial.recipe.batch_size),
    }


def _keep(path: Path, trial: Trial, outcome: Outcome) -> None:
    """Keep weights before the run counts as finished, so that whoever starts from it finds them."""
    config, spec = trial.fitted()
    save_model(path, outcome.model, ModelRecord(config, trial.dataset.classes, spec, 1.0, {}, {}))


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread, so that a run gives the same bits however many run beside it.

    Yields:
        Nothing; the number of threads is what it was afterwards.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
