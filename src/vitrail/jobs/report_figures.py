"""The figures of the page of a run, from what was measured."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import ConfigError
from vitrail.evaluation.metrics import per_class, softmax, wilson_interval
from vitrail.evaluation.selective import risk_coverage
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.selective import selective_figures
from vitrail.weights.calibration import Calibration
from vitrail.weights.model_file import ModelRecord

if TYPE_CHECKING:
    from vitrail.report.data import BadImage, Bin, ClassFigures, Epoch, KeyFigure, Reliability, Risk

BINS = 15
"""Bins of confidence, as many as `expected_calibration_error` has."""


def confidence_bins(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], bins: int = BINS
) -> tuple[Bin, ...]:
    """Gather images about which a model is about equally sure.

    Args:
        confidence: (n,) probability of the answer.
        right: (n,) whether the answer is right.
        bins: bins of equal width over 0 … 1.

    Returns:
        The bins that are not empty, lowest first.
    """
    from vitrail.report.data import Bin

    index = np.minimum((confidence * bins).astype(int), bins - 1)
    found = []
    for one in np.unique(index).tolist():
        inside = index == one
        n, correct = int(inside.sum()), int(right[inside].sum())
        mean = float(confidence[inside].mean())
        found.append(Bin(one / bins, (one + 1) / bins, n, mean, correct / n, wilson_interval(correct, n)))
    return tuple(found)


def reliability(
    evaluation: Evaluation, probabilities: npt.NDArray[np.float64], calibration: Calibration
) -> Reliability:
    """Compare how sure a model is with how often it is right, after calibration and before.

    Args:
        evaluation: of a split.
        probabilities: (good, classes), calibrated.
        calibration: what logits went through.

    Returns:
        Bins of confidence; those before only where calibration changes something.
    """
    from vitrail.report.data import Reliability

    labels = evaluation.outputs.labels

    def bins(shares: npt.NDArray[np.float64]) -> tuple[Bin, ...]:
        return confidence_bins(shares.max(axis=1), shares.argmax(axis=1) == labels)

    before = bins(softmax(evaluation.outputs.logits)) if calibration.changes else ()
    return Reliability(bins(probabilities), calibration.temperature, before, exponent=calibration.exponent)


PROMISES = (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001)
"""Error rates that a page looks at; those that every image keeps, or none can, are left out."""
MOST_PROMISES = 4


def risk(evaluation: Evaluation, probabilities: npt.NDArray[np.float64], record: ModelRecord) -> Risk:
    """Say what happens if only sure answers are given, and which error rates can be promised.

    Args:
        evaluation: of a split.
        probabilities: (good, classes), calibrated.
        record: of the model; its own `risk`, on validation images, is what promises are made from.

    Returns:
        The curve on this split, and what became of each promise; of two with the same threshold the stricter one.
    """
    from vitrail.report.data import Promise, Risk

    labels = evaluation.outputs.labels
    curve = risk_coverage(probabilities, labels)
    kept: dict[float, Promise] = {}
    for rate in PROMISES if record.risk else ():
        with suppress(ConfigError):
            figures = selective_figures(record, rate, probabilities, labels)
            if figures["answered"]:
                names = ("max_error", "threshold", "answered", "coverage", "error")
                low, high = figures["interval"]
                kept[figures["threshold"]] = Promise(**{name: figures[name] for name in names}, interval=(low, high))
    coverage, error = curve.coverage.tolist(), curve.risk.tolist()
    return Risk(tuple(coverage), tuple(error), len(labels), tuple(kept.values())[:MOST_PROMISES])


def key_figures(metrics: Mapping[str, Any], parameters: int, seconds: float) -> Iterator[KeyFigure]:
    """Choose the row of figures below the headline.

    Args:
        metrics: what `classification_metrics` gives.
        parameters: numbers that the model learned.
        seconds: the whole time.

    Yields:
        Figures; top-5 only where there is one.
    """
    from vitrail.report.data import KeyFigure
    from vitrail.report.text import duration, percent, short_count

    def meaning(name: str, words: str) -> str:
        interval = metrics.get(f"{name}_interval")
        return f"{words}; {percent(interval[0])} … {percent(interval[1])}" if interval else words

    if "top5" in metrics:
        yield KeyFigure("Top-5", percent(metrics["top5"], 2), "right among five guesses")
    yield KeyFigure("Balanced accuracy", percent(metrics["balanced_accuracy"], 2), "mean recall of the classes")
    yield KeyFigure("Macro F1", percent(metrics["macro_f1"], 2), meaning("macro_f1", "mean F1 of the classes"))
    if "mean_average_precision" in metrics:
        value = percent(metrics["mean_average_precision"], 2)
        yield KeyFigure("mAP", value, meaning("mean_average_precision", "mean average precision"))
    yield KeyFigure("ECE", percent(metrics["ece"], 2), "calibration error")
    yield KeyFigure("NLL", f"{metrics['nll']:.3f}", "nats an image")
    yield KeyFigure("Parameters", short_count(parameters), "numbers learned")
    yield KeyFigure("Time", duration(seconds), "the whole run")


def epochs(records: Iterable[Mapping[str, Any]]) -> Iterator[Epoch]:
    """Turn the lines of `metrics.jsonl` into points of the curves.

    Args:
        records: one an epoch.

    Yields:
        Epochs, counted from 1.
    """
    from vitrail.report.data import Epoch

    for record in records:
        figures = (float(record[key]) for key in ("loss", "train_top1", "val_top1", "val_nll"))
        yield Epoch(int(record["epoch"]) + 1, *figures)


def class_figures(evaluation: Evaluation) -> Iterator[ClassFigures]:
    """Give the figures of each class, and none where there is nothing to divide by.

    Args:
        evaluation: of a split.

    Yields:
        One class after another, in the order of the confusion matrix.
    """
    from vitrail.report.data import ClassFigures

    found = evaluation.confusion.diagonal()
    counts, taken = evaluation.confusion.sum(axis=1), evaluation.confusion.sum(axis=0)
    for number, figures in enumerate(zip(*per_class(evaluation.confusion), strict=True)):
        recall, precision, f1 = (float(one) for one in figures)
        n = int(counts[number])
        yield ClassFigures(
            evaluation.classes[number],
            n,
            recall if n else None,
            precision if taken[number] else None,
            f1 if n else None,
            wilson_interval(int(found[number]), n) if n else None,
        )


def bad_images(folder: RunFolder, evaluation: Evaluation) -> list[BadImage]:
    """Gather the bad files of all splits.

    Args:
        folder: its `bad_files.csv`.
        evaluation: of a split, whose bad files count whether or not they are in that file.

    Returns:
        Each once, with its reason without its name.
    """
    from vitrail.report.data import BadImage

    found = {}
    if folder.bad_files.is_file():
        with folder.bad_files.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["split"], row["path"]] = row["reason"]
    for number, reason in evaluation.outputs.bad:
        found[evaluation.split, evaluation.names[number]] = reason
    return [BadImage(split, name, why.partition(f"{name}: ")[2] or why) for (split, name), why in found.items()]
