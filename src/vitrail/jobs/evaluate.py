"""Measure a trained model on labelled images."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import DataError
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.sources import open_dataset
from vitrail.evaluation.metrics import (
    classification_metrics,
    confusion_matrix,
    expected_calibration_error,
    per_class,
    softmax,
    wilson_interval,
)
from vitrail.evaluation.ranking import trust_figures
from vitrail.jobs.bad_files import refusal
from vitrail.jobs.events import Listener, Note, silent
from vitrail.jobs.inference import Outputs, compute_outputs
from vitrail.jobs.prediction_table import TableFile, prediction_columns
from vitrail.jobs.predictor import Predictor, load
from vitrail.jobs.selective import selective_figures, threshold_for
from vitrail.jobs.suspects import SuspectLabels, suspect_labels
from vitrail.weights.reference import Reference

MOST_CONFUSIONS = 10


@dataclass(frozen=True)
class Evaluation:
    """Hold what a model achieves on one split.

    Args:
        metrics: name → figure, see `classification_metrics`, `trust_figures`, after calibration (`temperature`,
            `exponent`); `ece_before` it.
        split: which split.
        classes: names of the classes.
        names: what each image is called.
        outputs: logits and labels.
        confusion: (classes, classes), row = true class.
        model: the model file.
        seconds: time it took.
        suspects: labels that are likely wrong; None for the training split, whose labels may be known by heart.
    """

    metrics: dict[str, Any]
    split: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    outputs: Outputs
    confusion: npt.NDArray[np.int64]
    model: Path
    seconds: float
    suspects: SuspectLabels | None = None

    @property
    def top1(self) -> float:
        """Part of the images classified rightly, 0 … 1."""
        return float(self.metrics["top1"])

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `evaluate --json` prints.

        Returns:
            The metrics, and split, per_class, confusions (the most frequent), suspects, bad_files, model, out, seconds.
        """
        from vitrail.report.confusions import worst_confusions

        recall, precision, f1 = per_class(self.confusion)
        found, counts = self.confusion.diagonal().tolist(), self.confusion.sum(axis=1).tolist()
        rows = zip(self.classes, recall, precision, f1, found, counts, strict=True)
        table = [
            {"label": name, "recall": float(r), "precision": float(p), "f1": float(f), "n": n}
            | {"recall_interval": list(wilson_interval(right, n)) if n else None}
            for name, r, p, f, right, n in rows
        ]
        confusions = [asdict(one) for one in worst_confusions(self.confusion, self.classes, MOST_CONFUSIONS)]
        bad = [{"path": self.names[number], "error": reason} for number, reason in self.outputs.bad]
        return {
            **self.metrics,
            "split": self.split,
            "per_class": table,
            "confusions": confusions,
            **({"suspects": self.suspects.to_json()} if self.suspects else {}),
            "bad_files": bad,
            "model": str(self.model),
            "out": str(self.model.parent),
            "seconds": self.seconds,
        }


def evaluate(
    reference: Reference | Any,
    data: Reference | Dataset,
    split: str = "test",
    device: str | None = None,
    listener: Listener = silent,
    *,
    strict: bool = False,
    out: Reference | None = None,
    max_error: float | None = None,
) -> Evaluation:
    """Measure a trained model on one split of a data reference.

    Where the data have no splits of their own: if it is what the model was trained on, the images that training set
    aside are used, otherwise all images.

    Args:
        reference: a run folder, a model file, weights of another library, a Predictor, or what `fit` returned.
        data: a data reference, or an open data set with the model's classes.
        split: "test", "val" or "train".
        device: where to compute; None for the fastest there is.
        listener: is told of decisions and warnings.
        strict: stop if one image of the split cannot be used.
        out: `.csv` or `.parquet` for the answer to every image, with the columns of a run's `predictions.parquet`.
        max_error: part of the answers that may be wrong, 0 < rate < 1: say how many images are answered under that
            promise, and whether it holds.

    Returns:
        Figures, confusion and logits.

    Raises:
        WeightsError: if the model cannot be loaded.
        ConfigError: if it is no classifier, or `max_error` cannot be promised.
        DataError: if the data cannot be opened or has no such split; if not one image of it can be used or, with
            `strict`, one cannot; or if `out` has another suffix, cannot be written, or is one of the inputs.
        StorageError: if writing fails at last.
    """
    clock = time.perf_counter()
    table = None if out is None else TableFile(out)
    predictor = load(reference, device)
    predictor.require_classifier()
    if max_error is not None:
        threshold_for(predictor.record, max_error)
    dataset = data if isinstance(data, Dataset) else open_for(predictor, data, listener)
    if dataset.classes != predictor.classes:
        raise DataError(f"{dataset.reference} has other classes than the model, or in another order")
    for note in dataset.notes:
        listener(Note(note))
    samples = find_split(dataset, split)
    if table:
        table.check((reference, predictor.path, data), samples)
    evaluation = evaluate_split(predictor, dataset, split, clock)
    _tell(evaluation, predictor.record.calibrated, strict, listener)
    probabilities = softmax(predictor.record.calibration.apply(evaluation.outputs.logits))
    if max_error is not None:
        labels = evaluation.outputs.labels
        evaluation.metrics["selective"] = selective_figures(predictor.record, max_error, probabilities, labels)
    if table:
        table.write(prediction_columns(samples, dataset.classes, evaluation.outputs, probabilities))
    return evaluation


def _tell(evaluation: Evaluation, calibrated: bool, strict: bool, listener: Listener) -> None:
    """Say that images could not be used, or stop there; say that nobody made the probabilities right."""
    reasons = [reason for _, reason in evaluation.outputs.bad]
    if reasons and strict:
        raise refusal(reasons)
    if reasons:
        counted = f"{evaluation.metrics['n']:,} of {len(evaluation.names):,} images"
        listener(Note(f"measured on {counted}: the others could not be used; the first: {reasons[0]}", True))
    if not calibrated:
        listener(Note("not calibrated: probabilities are as the model gives them"))


def find_split(dataset: Dataset, split: str) -> Samples:
    """Find a split by name.

    Args:
        dataset: any.
        split: "test", "val" or "train".

    Returns:
        Its samples.

    Raises:
        DataError: if there is none, saying which there are.
    """
    if split not in dataset.splits:
        raise DataError(
            f"{dataset.reference} has no split {split!r}; it has {', '.join(dataset.splits)}",
            hint=f"give --split {next(iter(reversed(dataset.splits)))}",
        )
    return dataset.splits[split]


def open_for(predictor: Predictor, data: Reference, listener: Listener = silent) -> Dataset:
    """Open a data reference for a trained model: its class map, and its splits where the data were trained on.

    Args:
        predictor: the trained model.
        data: a data reference.
        listener: is told if the data changed since training.

    Returns:
        The data set, labels matched by name to the model's classes.

    Raises:
        DataError: if it cannot be opened or has classes that the model does not know.
    """
    record = predictor.record
    seed = int(record.training.get("seed", 0))
    made = tuple(record.data.get("made_splits", ()))
    dataset = _opened_as_for_training(data, seed, record.classes, made)
    if dataset is not None and dataset.fingerprint() == record.data.get("fingerprint"):
        return dataset
    if made and str(data) == record.data.get("reference"):
        listener(
            Note(f"{data} has changed since training: some images of its test split may have been trained on", True)
        )
        return dataset or open_dataset(data, seed, record.classes)
    return open_dataset(data, seed, record.classes)


def _opened_as_for_training(
    data: Reference, seed: int, classes: tuple[str, ...], made: tuple[str, ...]
) -> Dataset | None:
    """Set the same images aside again; None where training set none aside, or these data are too few for it."""
    if not made:
        return None
    try:
        return open_dataset(data, seed, classes, made)
    except DataError:  # whatever else is wrong with the data is said when they are opened plainly
        return None


def evaluate_split(predictor: Predictor, dataset: Dataset, split: str, clock: float | None = None) -> Evaluation:
    """Measure a model on one split of an open data set.

    Args:
        predictor: the trained model.
        dataset: opened with the model's classes.
        split: which split.
        clock: `time.perf_counter()` at the beginning.

    Returns:
        Figures, confusion and logits.

    Raises:
        DataError: if there is no such split, or not one image of it can be used.
    """
    clock = time.perf_counter() if clock is None else clock
    samples = find_split(dataset, split)
    outputs = compute_outputs(predictor.engine, predictor.spec, samples)
    if not len(outputs.labels):
        first = outputs.bad[0][1] if outputs.bad else "it is empty"
        raise DataError(f"not one image of the {split} split of {dataset.reference} can be used; the first: {first}")
    confusion = confusion_matrix(outputs.logits.argmax(axis=1), outputs.labels, len(predictor.classes))
    calibrated = predictor.record.calibration.apply(outputs.logits)
    metrics = dict(classification_metrics(calibrated, outputs.labels))
    probabilities, names = softmax(calibrated), tuple(samples.names)
    metrics |= trust_figures(probabilities, outputs.labels, confusion)
    metrics |= asdict(predictor.record.calibration)
    metrics["ece_before"] = expected_calibration_error(softmax(outputs.logits), outputs.labels)
    return Evaluation(
        metrics=metrics,
        split=split,
        classes=predictor.classes,
        names=names,
        outputs=outputs,
        confusion=confusion,
        model=predictor.path,
        seconds=time.perf_counter() - clock,
        suspects=None if split == "train" else suspect_labels(outputs, probabilities, split, predictor.classes, names),
    )
