"""What a run says of itself at the end: the prediction for every image, and the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from vitrail.bench.cost import count_cost
from vitrail.core.config import to_dict
from vitrail.core.files import write_atomically
from vitrail.data.dataset import Dataset
from vitrail.evaluation.metrics import softmax
from vitrail.jobs import report_figures
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.plan import Plan
from vitrail.jobs.prediction_table import prediction_columns
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.report_facts import Story, expense, facts, flat
from vitrail.jobs.report_pictures import looks, surest_mistakes, suspect_pictures, training_batches
from vitrail.jobs.run_folder import RunFolder

if TYPE_CHECKING:
    from vitrail.jobs.suspects import SuspectLabels
    from vitrail.report.data import ReportData
    from vitrail.report.pictures import Gallery


def write_summary(
    folder: RunFolder, evaluation: Evaluation, plan: Plan, dataset: Dataset, predictor: Predictor, story: Story
) -> None:
    """Write `predictions.parquet` and `report.html`.

    Args:
        folder: where to.
        evaluation: what the model achieves on one split.
        plan: everything that decided the run.
        dataset: the opened data, of which `evaluation` measured a split.
        predictor: the trained model.
        story: what training has to tell; the data set's own notes are told where it has none.

    Raises:
        StorageError: if the disk refuses.
    """
    from vitrail.report.page import render_report

    probabilities = softmax(predictor.record.calibration.apply(evaluation.outputs.logits))
    samples = dataset.splits[evaluation.split]
    folder.write_predictions(prediction_columns(samples, dataset.classes, evaluation.outputs, probabilities))
    data = _collect(folder, evaluation, plan, dataset, predictor, story, probabilities)
    write_atomically(folder.report, render_report(data))


def _collect(
    folder: RunFolder,
    evaluation: Evaluation,
    plan: Plan,
    dataset: Dataset,
    predictor: Predictor,
    story: Story,
    probabilities: npt.NDArray[np.float64],
) -> ReportData:
    """Bring together what the page shows."""
    from vitrail.report.data import Headline, Learning, ReportData

    record = predictor.record
    metrics, records, cost = evaluation.metrics, folder.read_metrics(), count_cost(plan.model)
    low, high = metrics["interval"]
    kept = record.training.get("best", {}).get("epoch")
    reference = Path(plan.data)
    return ReportData(
        title=reference.resolve().name if reference.exists() else plan.data,
        headline=Headline(evaluation.split, evaluation.top1, (low, high), metrics["n"], len(evaluation.outputs.bad)),
        figures=tuple(report_figures.key_figures(metrics, cost.parameters, story.seconds)),
        learning=Learning(
            tuple(report_figures.epochs(records)),
            None if kept is None else int(kept) + 1,
            tuple(training_batches(story.batches, plan.spec, dataset.classes)),
            len(dataset.splits["val"]) if "val" in dataset.splits else 0,
        ),
        confusion=evaluation.confusion,
        reliability=replace(
            report_figures.reliability(evaluation, probabilities, record.calibration),
            risk=report_figures.risk(evaluation, probabilities, record),
        ),
        classes=tuple(report_figures.class_figures(evaluation)),
        gallery=_gallery(evaluation, dataset, predictor, story.validation, probabilities),
        expense=expense(records, cost, story, evaluation.seconds, plan.recipe.batch_size),
        bad=tuple(report_figures.bad_images(folder, evaluation)),
        notes=tuple(dict.fromkeys(story.notes or dataset.notes)),
        settings=dict(flat(to_dict(plan))),
        facts=facts(plan, dataset, predictor),
    )


def _gallery(
    evaluation: Evaluation,
    dataset: Dataset,
    predictor: Predictor,
    validation: SuspectLabels | None,
    probabilities: npt.NDArray[np.float64],
) -> Gallery:
    """Choose the images that the page shows; none of them is both a suspect and a mistake there."""
    from vitrail.report.pictures import Gallery, Suspects

    suspects, passed, found = None, set(), evaluation.suspects
    if found:
        images = {evaluation.split: found.n}
        if validation and evaluation.split != "val":
            images, found = {**images, "val": validation.n}, found.joined(validation)
        chosen = list(suspect_pictures(found.labels, dataset))
        passed = {label.number for label, _ in chosen if label.split == evaluation.split}
        shown = tuple(one for _, one in chosen)
        suspects = Suspects(images, len(found.labels), found.expected, found.spread, found.many, shown)
    mistakes = tuple(surest_mistakes(evaluation, dataset, probabilities, passed=passed))
    return Gallery(suspects, mistakes, tuple(looks(predictor, evaluation, dataset)))
