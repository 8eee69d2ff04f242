"""The answer for every image of a split as a table with one row an image."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.files import as_text
from vitrail.data.dataset import Dataset
from vitrail.jobs.evaluate import Evaluation


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
