"""What a run says of itself at the end: the prediction for every image, and the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vitrail.core.config import to_dict
from vitrail.core.errors import ImageError
from vitrail.core.files import as_text, write_atomically
from vitrail.data.dataset import Dataset
from vitrail.data.decode import decode
from vitrail.evaluation.metrics import per_class, softmax, wilson_interval
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.plan import Plan
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.run_folder import RunFolder

if TYPE_CHECKING:
    from vitrail.report.data import BadImage, Bin, ClassFigures, Epoch, KeyFigure, Mistake, ReportData

BINS = 15
"""Bins of confidence, as many as `expected_calibration_error` has."""
MAX_MISTAKES = 24
PICTURE_SIDE = 160
"""Mistakes are shown at most this many pixels wide and high."""


def write_summary(
    folder: RunFolder,
    evaluation: Evaluation,
    plan: Plan,
    dataset: Dataset,
    predictor: Predictor,
    seconds: float,
    notes: Sequence[str] = (),
) -> None:
    """Write `predictions.parquet` and `report.html`.

    Args:
        folder: where to.
        evaluation: what the model achieves on one split.
        plan: everything that decided the run.
        dataset: the opened data, of which `evaluation` measured a split.
        predictor: the trained model.
        seconds: time that the run took.
        notes: what was decided, a sentence each; the data set's own if none are given.

    Raises:
        StorageError: if the disk refuses.
    """
    from vitrail.report.page import render_report

    probabilities = softmax(evaluation.outputs.logits / np.float32(predictor.record.temperature))
    folder.write_predictions(prediction_columns(evaluation, dataset, probabilities))
    data = _collect(folder, evaluation, plan, dataset, predictor, seconds, notes or dataset.notes, probabilities)
    write_atomically(folder.report, render_report(data))


def prediction_columns(
    evaluation: Evaluation, dataset: Dataset, probabilities: npt.NDArray[np.float64]
) -> dict[str, Any]:
    """List every image of a split with its answer.

    Args:
        evaluation: of the split.
        dataset: where the split comes from.
        probabilities: (good, classes), in the order of `evaluation.outputs`.

    Returns:
        Columns path, label, predicted, probability, correct, error, one row an image in the order of the split; where
        an image could not be used there is an error and no answer.
    """
    import pyarrow

    outputs, classes = evaluation.outputs, evaluation.classes
    labels = dataset.splits[evaluation.split].labels
    predicted: list[str | None] = [None] * len(labels)
    probability: list[float | None] = [None] * len(labels)
    correct: list[bool | None] = [None] * len(labels)
    error: list[str | None] = [None] * len(labels)
    best = outputs.logits.argmax(axis=1)
    for row, (number, answer) in enumerate(zip(outputs.indices.tolist(), best.tolist(), strict=True)):
        predicted[number] = classes[answer]
        probability[number] = float(probabilities[row, answer])
        correct[number] = answer == int(outputs.labels[row])
    for number, reason in outputs.bad:
        error[number] = as_text(reason)
    return {
        "path": pyarrow.array([as_text(name) for name in evaluation.names], pyarrow.string()),
        "label": pyarrow.array([classes[label] for label in labels.tolist()], pyarrow.string()),
        "predicted": pyarrow.array(predicted, pyarrow.string()),
        "probability": pyarrow.array(probability, pyarrow.float64()),
        "correct": pyarrow.array(correct, pyarrow.bool_()),
        "error": pyarrow.array(error, pyarrow.string()),
    }


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


def surest_mistakes(
    evaluation: Evaluation, dataset: Dataset, probabilities: npt.NDArray[np.float64], limit: int = MAX_MISTAKES
) -> Iterator[Mistake]:
    """Find the wrong answers of which a model was surest.

    Args:
        evaluation: of a split.
        dataset: where the split comes from.
        probabilities: (good, classes), in the order of `evaluation.outputs`.
        limit: how many to give.

    Yields:
        Mistakes with a small picture each, the surest first; an image that is gone by now is passed over.
    """
    from vitrail.report.data import Mistake

    outputs, samples = evaluation.outputs, dataset.splits[evaluation.split]
    best = outputs.logits.argmax(axis=1)
    confidence = probabilities[np.arange(len(best)), best]
    wrong = np.flatnonzero(best != outputs.labels)
    for row in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist():
        if limit <= 0:
            break
        number = int(outputs.indices[row])
        try:
            picture = decode(samples.image(number))
        except ImageError:
            continue
        limit -= 1
        picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
        png = io.BytesIO()
        picture.save(png, format="PNG")
        label, predicted = (evaluation.classes[int(one[row])] for one in (outputs.labels, best))
        yield Mistake(evaluation.names[number], label, predicted, float(confidence[row]), png.getvalue(), picture.size)


def _collect(
    folder: RunFolder,
    evaluation: Evaluation,
    plan: Plan,
    dataset: Dataset,
    predictor: Predictor,
    seconds: float,
    notes: Sequence[str],
    probabilities: npt.NDArray[np.float64],
) -> ReportData:
    """Bring together what the page shows."""
    from vitrail.report.data import Headline, Reliability, ReportData

    metrics, outputs = evaluation.metrics, evaluation.outputs
    best = outputs.logits.argmax(axis=1)
    bins = confidence_bins(probabilities[np.arange(len(best)), best], best == outputs.labels)
    low, high = metrics["interval"]
    kept = predictor.record.training.get("best", {}).get("epoch")
    reference = Path(plan.data)
    return ReportData(
        title=reference.resolve().name if reference.exists() else plan.data,
        headline=Headline(evaluation.split, evaluation.top1, (low, high), metrics["n"], len(outputs.bad)),
        figures=tuple(_key_figures(metrics, predictor, seconds)),
        epochs=tuple(_epochs(folder)),
        best_epoch=None if kept is None else int(kept) + 1,
        confusion=evaluation.confusion,
        reliability=Reliability(bins, predictor.record.temperature, metrics.get("ece_before")),
        classes=tuple(_class_figures(evaluation)),
        mistakes=tuple(surest_mistakes(evaluation, dataset, probabilities)),
        bad=tuple(_bad_images(folder, evaluation)),
        notes=tuple(dict.fromkeys(notes)),
        settings=dict(_flat(to_dict(plan))),
        facts=_facts(plan, dataset, predictor),
    )


def _key_figures(metrics: Mapping[str, Any], predictor: Predictor, seconds: float) -> Iterator[KeyFigure]:
    from vitrail.report.data import KeyFigure
    from vitrail.report.text import duration, percent, short_count

    if "top5" in metrics:
        yield KeyFigure("Top-5", percent(metrics["top5"], 2), "right among five guesses")
    yield KeyFigure("Balanced accuracy", percent(metrics["balanced_accuracy"], 2), "mean recall of the classes")
    yield KeyFigure("Macro F1", percent(metrics["macro_f1"], 2), "mean F1 of the classes")
    yield KeyFigure("ECE", percent(metrics["ece"], 2), "calibration error")
    yield KeyFigure("NLL", f"{metrics['nll']:.3f}", "nats an image")
    yield KeyFigure("Parameters", short_count(_parameters(predictor)), "numbers learned")
    yield KeyFigure("Time", duration(seconds), "the whole run")


def _epochs(folder: RunFolder) -> Iterator[Epoch]:
    from vitrail.report.data import Epoch

    for record in folder.read_metrics():
        figures = (float(record[key]) for key in ("loss", "train_top1", "val_top1", "val_nll"))
        yield Epoch(int(record["epoch"]) + 1, *figures)


def _class_figures(evaluation: Evaluation) -> Iterator[ClassFigures]:
    from vitrail.report.data import ClassFigures

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
        )


def _bad_images(folder: RunFolder, evaluation: Evaluation) -> list[BadImage]:
    """Gather the bad files of all splits: those in `bad_files.csv`, and those of this evaluation."""
    from vitrail.report.data import BadImage

    found = {}
    if folder.bad_files.is_file():
        with folder.bad_files.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found[row["split"], row["path"]] = row["reason"]
    for number, reason in evaluation.outputs.bad:
        found[evaluation.split, evaluation.names[number]] = reason
    return [BadImage(split, name, why.partition(f"{name}: ")[2] or why) for (split, name), why in found.items()]


def _facts(plan: Plan, dataset: Dataset, predictor: Predictor) -> dict[str, dict[str, str]]:
    from vitrail.report.text import split_name

    config, training = plan.model, predictor.record.training
    data = {"Reference": plan.data, "Classes": f"{len(dataset.classes):,}"}
    for split, samples in dataset.splits.items():
        data[f"{split_name(split).capitalize()} images"] = (
            f"{len(samples):,}{' (set aside)' if split in dataset.made_splits else ''}"
        )
    data["Fingerprint"] = str(predictor.record.data.get("fingerprint") or dataset.fingerprint())
    height, width = config.image_size
    model = {
        "Image": f"{height} × {width} pixels, {'grey' if config.in_chans == 1 else 'colour'}",
        "Patch": f"{config.patch_size} × {config.patch_size} pixels",
        "Tokens": str(config.num_tokens),
        "Depth": str(config.depth),
        "Width": str(config.embed_dim),
        "Heads": str(config.block.num_heads),
        "MLP ratio": f"{config.block.mlp_ratio:g}",
        "Stem": config.stem.kind,
        "Position": config.position.kind,
        "Pooling": config.pool.kind,
        "Parameters": f"{_parameters(predictor):,}",
    }
    made = {name: str(version) for name, version in training.get("versions", {}).items()}
    made |= {"Seed": str(plan.seed), "Steps": f"{plan.steps:,}", "Batch": str(plan.recipe.batch_size)}
    if plan.start:
        made["Start"] = plan.start
    return {"Data": data, "Model": model, "Made with": made}


def _parameters(predictor: Predictor) -> int:
    return sum(parameter.numel() for parameter in predictor.model.parameters())


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}".lstrip("."))
    elif isinstance(value, list):
        yield prefix, ", ".join(str(item) for item in value)
    else:
        yield prefix, "none" if value in (None, "") else str(value)
