"""What a person wants to know at a glance when a model has been measured: plain data, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.events import Note
from vitrail.jobs.fit import Run
from vitrail.jobs.report_figures import class_figures
from vitrail.jobs.run_folder import RunFolder
from vitrail.report.confusions import Confusion, worst_confusions
from vitrail.report.data import ClassFigures

MOST = 3
"""How many classes and confusions are worth a line at a glance."""


@dataclass(frozen=True)
class Digest:
    """Hold the essence of an evaluation, and of the training before it.

    Args:
        evaluation: the figures.
        weakest: classes that are found least often, if any is missed at all.
        confusions: the most frequent ones.
        validation: accuracy on the validation split after each epoch; empty if nothing was trained.
        seconds: time that it took.
        parts: what took most of it → seconds.
        files: what it is → where, for everything that was written.
        command: what to try next.
        verdict: whether tuning paid; None if there was none.
    """

    evaluation: Evaluation
    weakest: tuple[ClassFigures, ...]
    confusions: tuple[Confusion, ...]
    validation: tuple[float, ...] = ()
    seconds: float = 0.0
    parts: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    verdict: Note | None = None


def digest_evaluation(evaluation: Evaluation, files: Mapping[str, str], command: str) -> Digest:
    """Choose what to say of a model that was measured.

    Args:
        evaluation: the figures.
        files: what was written.
        command: what to try next.

    Returns:
        The digest.
    """
    return Digest(
        evaluation,
        _weakest(evaluation),
        tuple(worst_confusions(evaluation.confusion, evaluation.classes, MOST)),
        seconds=evaluation.seconds,
        files=files,
        command=command,
    )


def digest_run(run: Run, more: Mapping[str, str] | None = None) -> Digest:
    """Choose what to say of a model that was trained.

    Args:
        run: what `fit` returned.
        more: what was written besides.

    Returns:
        The digest.
    """
    folder = RunFolder(run.path)
    records = folder.read_metrics()

    def total(*keys: str) -> float:
        return sum(float(record.get(key, 0)) for record in records for key in keys)

    files = {"run folder": str(run.path), "report": str(folder.report)}
    if folder.bad_files.is_file():
        files["bad files"] = str(folder.bad_files)
    return Digest(
        run.evaluation,
        _weakest(run.evaluation),
        tuple(worst_confusions(run.evaluation.confusion, run.evaluation.classes, MOST)),
        tuple(float(record["val_top1"]) for record in records),
        run.seconds,
        {"training": total("preparing_seconds", "learning_seconds"), "validation": total("validation_seconds")},
        {**files, **(more or {})},
        f"vitrail predict {run.path} IMAGE…",
        run.baseline.verdict() if run.baseline else None,
    )


def _weakest(evaluation: Evaluation) -> tuple[ClassFigures, ...]:
    missed = [one for one in class_figures(evaluation) if one.recall is not None and one.recall < 1]
    return tuple(sorted(missed, key=lambda one: one.recall or 0.0)[:MOST])
