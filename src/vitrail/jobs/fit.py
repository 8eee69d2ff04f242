"""Train a classifier on a data reference: the main job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vitrail.core.config import to_dict
from vitrail.core.errors import ConfigError, DataError
from vitrail.core.network import network
from vitrail.core.toml import read_toml, write_toml
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset
from vitrail.data.sources.listing import plural
from vitrail.jobs.bad_files import refuse_bad_files
from vitrail.jobs.baseline import Baseline, measure_baseline
from vitrail.jobs.check import warn_of_data
from vitrail.jobs.device import choose_device, describe_device, thread_limit
from vitrail.jobs.evaluate import Evaluation, evaluate_split
from vitrail.jobs.events import Event, Finished, Listener, Note, silent
from vitrail.jobs.plan import Plan, Request, differences, make_plan, take_plan
from vitrail.jobs.predictor import load
from vitrail.jobs.report_facts import Story, flat
from vitrail.jobs.report_pictures import first_batches
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.summary import write_summary
from vitrail.jobs.tally import peak_memory
from vitrail.jobs.tracking import Tracker, find_tracker, tracking
from vitrail.jobs.training import Training
from vitrail.models.config import ViTConfig
from vitrail.train.recipe import Recipe
from vitrail.weights.reference import Reference

FEW_TO_CHOOSE_BY = 10
"""Validation images below which one of them moves accuracy by more than ten points."""


@dataclass(frozen=True)
class Run:
    """Hold what a training left.

    Args:
        path: the run folder.
        evaluation: figures on the test split, or on the validation split where there is no test split.
        plan: everything that decided the run.
        seconds: time it took, sessions before a resumption included.
        baseline: what the weights it started from were worth before tuning; None where it started afresh.
    """

    path: Path
    evaluation: Evaluation
    plan: Plan
    seconds: float
    baseline: Baseline | None = None

    @property
    def top1(self) -> float:
        """Part of the images classified rightly, 0 … 1."""
        return self.evaluation.top1

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `fit --json` prints.

        Returns:
            What `evaluate --json` prints, and out, seconds, steps, seed; baseline where there is one.
        """
        extra = {"out": str(self.path), "seconds": self.seconds, "steps": self.plan.steps, "seed": self.plan.seed}
        baseline = {"baseline": self.baseline.to_json()} if self.baseline else {}
        return {**self.evaluation.to_json(), **extra, **baseline}


def fit(
    data: Reference | Dataset | None = None, model: Reference | ViTConfig | None = None,
    recipe: str | Recipe | None = None, *, variant: str | None = None, teacher: Reference | Run | None = None,
    out: Reference | None = None, seed: int | None = None, epochs: int | None = None, minutes: float | None = None,
    image_size: int | None = None, device: str | None = None, settings: Mapping[str, Any] | None = None,
    config: Reference | None = None, resume: bool = False, overwrite: bool = False, strict: bool = False,
    offline: bool = False, track: str | Tracker | None = None, listener: Listener = silent,
) -> Run:  # fmt: skip
    """Train a classifier, keep the best weights by validation, and measure them on the test split.

    Args:
        data: a data reference, or an open data set; may be left out with `config`.
        model: variant, config, or run folder or weights to start from; None: by the images' size (`default_model`).
        recipe: row of `RECIPES`, or a recipe; None: by the images' size.
        variant: what the weights of `model` are, where their file does not say.
        teacher: trained model to imitate, such as what another `fit` returned; its classes are matched by name.
        out: run folder; None for a new one under `runs/`.
        seed: seed of everything random; None is 0, or that of `config`.
        epochs: passes over the training split; None to choose by its size.
        minutes: time to train instead of epochs.
        image_size: side in pixels; None for the model's.
        device: "cpu", "cuda", "mps"; None for the fastest there is.
        settings: key → value laid over the plan, such as {"lr": 1e-3}.
        config: `config.toml` to repeat.
        resume: go on with the run in `out`.
        overwrite: replace the run in `out`.
        strict: stop before training if one image of any split cannot be used.
        offline: fetch nothing, and without `model` start from scratch.
        track: row of `TRACKERS`, or a tracker, to which figures go as well.
        listener: is told of decisions and progress.

    Returns:
        The run.

    Raises:
        ConfigError: for settings that are unknown, not allowed or contradict each other, or a missing tracker.
        DataError: if the data cannot be used; with `strict`, if one image cannot.
        WeightsError: if the weights to start from cannot be had or read.
        StorageError: if the run folder cannot be written.
        NonFiniteError: if training meets NaN or infinity.
        Interrupted: if a signal stopped it; a checkpoint was written.
    """
    clock = time.perf_counter()
    target, tracker = choose_device(device), find_tracker(track)
    with network(not offline):
        given, seed, dataset = _open(config, seed, data)
        taught = teacher.path if isinstance(teacher, Run) else teacher
        asked = (model, recipe, seed, epochs, minutes, image_size, settings, variant, taught, offline)
        request = Request(dataset.reference, *asked)
        plan, notes = (
            (take_plan(given, request, dataset), [])
            if given
            else make_plan(request, dataset, target.type, _earlier_start(out, resume), listener)
        )
        folder = _prepare(out, dataset, plan, resume, overwrite, strict)
        with tracking(tracker, folder.path, listener) as heard:
            told = _logging(folder, heard)
            training = Training(plan, dataset, target, folder, told, [*dataset.notes, *notes], clock)
            with thread_limit(plan.model, plan.recipe.batch_size, target):
                return _train(training, request, resume)


def _earlier_start(out: Reference | None, resume: bool) -> str | None:
    """Look up what a run that goes on started from: what the cache has by now must not decide it again."""
    config = RunFolder(Path(out)).config if resume and out is not None else None
    return read_toml(config, Plan).start if config is not None and config.is_file() else None


def _prepare(
    out: Reference | None, dataset: Dataset, plan: Plan, resume: bool, overwrite: bool, strict: bool
) -> RunFolder:
    if strict:
        refuse_bad_files(dataset, plan.spec)
    return RunFolder.prepare(None if out is None else Path(out), _run_name(dataset.reference), resume, overwrite)


def _logging(folder: RunFolder, listener: Listener) -> Listener:
    """Write notes to the run's log on their way to the listener."""

    def tell(event: Event) -> None:
        if isinstance(event, Note):
            folder.write_log(event.text)
        listener(event)

    return tell


def _train(training: Training, request: Request, resume: bool) -> Run:
    folder = training.folder
    warn_of_data(training.dataset, training.tell)
    _warn_of_chance(training)
    resumed = _resumed(folder, training.plan, request) if resume else None
    baseline = measure_baseline(training) if training.plan.start else None
    plan = resumed or training.fix_steps(request)
    if not resume:
        heading = "vitrail: everything that decided this run; repeat it with `vitrail fit --config`"
        write_toml(folder.config, plan, heading)
    training.run(plan, resume)
    if baseline:
        baseline = replace(baseline, tuned=training.state.best[baseline.figure])
        training.tell(baseline.verdict())
    run = replace(_finish(folder, plan, training.dataset, training), baseline=baseline)
    training.tell(Note(f"finished: {run.evaluation.split} accuracy {100 * run.top1:.2f} %"))
    return run


def _warn_of_chance(training: Training) -> None:
    """Warn of validation images so few that what is chosen by them is a draw of lots."""
    few = len(training.dataset.splits["val"])
    if few < FEW_TO_CHOOSE_BY:
        left = "best weights, temperature and what tuning is worth are left to chance"
        told = f"only {plural(few, 'validation image')}: {left}; give more images, or a val split"
        training.tell(Note(told, warning=True))


def _open(
    config: Reference | None, seed: int | None, data: Reference | Dataset | None
) -> tuple[Plan | None, int, Dataset]:
    """Open the data, which like the seed may be those of a plan that is repeated."""
    given = None if config is None else read_toml(Path(config), Plan)
    seed = seed if seed is not None else given.seed if given else 0
    data = given.data if data is None and given else data
    if data is None:
        raise ConfigError("no data reference was given", hint="vitrail fit DATA, or --config FILE")
    dataset = data if isinstance(data, Dataset) else open_dataset(data, seed)
    for split in ("train", "val"):
        if split not in dataset.splits or not len(dataset.splits[split]):
            raise DataError(f"{dataset.reference} has no image for the {split} split", hint="give more images")
    return given, seed, dataset


def _run_name(reference: str) -> str:
    return Path(reference).resolve().stem if Path(reference).exists() else reference


def _resumed(folder: RunFolder, plan: Plan, request: Request) -> Plan:
    """Take up the plan of the run, and refuse a request for another one."""
    stored = read_toml(folder.config, Plan)
    old, new = to_dict(stored), to_dict(plan)
    if not new["steps"]:
        new["steps"] = old["steps"]
    changed = differences(old, new)
    if changed:
        raise ConfigError(
            f"--resume: the run in {folder.path} was begun otherwise: {'; '.join(changed[:5])}",
            hint="give the same settings as then, or another --out",
        )
    return stored


def _finish(folder: RunFolder, plan: Plan, dataset: Dataset, training: Training) -> Run:
    """Measure the model file that was written, as any later command would, and write the summary."""
    validation = training.calibrate()
    predictor = load(folder.path, training.device.type)
    split = "test" if "test" in dataset.splits else "val"
    evaluation = evaluate_split(predictor, dataset, split)
    training.write_bad_files(evaluation)
    training.tell(Finished(split, evaluation.metrics, dict(flat(to_dict(plan)))))
    batches = first_batches(training.loader, training.device)
    device = describe_device(training.device)
    story = Story(training.seconds, training.notes, batches, device, peak_memory(), validation)
    write_summary(folder, evaluation, plan, dataset, predictor, story)
    return Run(folder.path, evaluation, plan, training.seconds)
