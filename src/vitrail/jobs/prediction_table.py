"""The answer for every image of a split as a table with one row an image."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import DataError
from vitrail.core.files import as_text, write_atomically
from vitrail.core.table import Table
from vitrail.data.dataset import Samples
from vitrail.jobs.answer_file import AnswerFile
from vitrail.jobs.inference import Outputs
from vitrail.jobs.inputs import Inputs

Columns = dict[str, Any]
"""Name → pyarrow array, all of one length."""


def prediction_columns(
    samples: Samples, classes: Sequence[str], outputs: Outputs, probabilities: npt.NDArray[np.float64]
) -> Columns:
    """List every image of a split with its answer.

    Args:
        samples: the split.
        classes: names of the classes.
        outputs: what the model gave for it.
        probabilities: (good, classes), in the order of `outputs`.

    Returns:
        Columns path, label, predicted, probability, correct, error, one row an image in the order of the split; where
        an image could not be used there is an error and no answer.
    """
    import pyarrow

    labels = samples.labels
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
        "path": pyarrow.array([as_text(name) for name in samples.names], pyarrow.string()),
        "label": pyarrow.array([classes[label] for label in labels.tolist()], pyarrow.string()),
        "predicted": pyarrow.array(predicted, pyarrow.string()),
        "probability": pyarrow.array(probability, pyarrow.float64()),
        "correct": pyarrow.array(correct, pyarrow.bool_()),
        "error": pyarrow.array(error, pyarrow.string()),
    }


def _csv(columns: Columns) -> bytes:
    import pyarrow
    from pyarrow import csv

    file = io.BytesIO()
    csv.write_csv(pyarrow.table(columns), file, csv.WriteOptions(quoting_style="needed"))
    return file.getvalue()


def _parquet(columns: Columns) -> bytes:
    import pyarrow
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns), file)
    return file.getvalue()


TABLES: Table[Callable[[Columns], bytes]] = Table(
    "suffix of an output file", {".csv": _csv, ".parquet": _parquet}, error=DataError
)


class TableFile:
    """Stand for a file that predictions go to.

    Args:
        path: final name; its suffix chooses the format.

    Raises:
        DataError: for another suffix.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._encode = TABLES[self.path.suffix.lower()]

    def check(self, references: Iterable[object], samples: Samples) -> None:
        """Make sure, before any work is done, that it can be written and that nothing is read from it.

        Args:
            references: the model and the data, as they were named.
            samples: the images.

        Raises:
            DataError: if it is one of these or a folder, or cannot be written.
        """
        named = tuple(os.fspath(one) for one in references if isinstance(one, str | os.PathLike))
        images: Iterable[str] = () if isinstance(samples.images, np.ndarray) else samples.images
        sources = [partial(iter, images), *(partial(iter, ()) for _ in named)]
        AnswerFile[None](self.path, Inputs(("", *named), tuple(sources)))

    def write(self, columns: Columns) -> None:
        """Write the whole table; the file is either the old or the new.

        Args:
            columns: what `prediction_columns` gives.

        Raises:
            StorageError: if the disk refuses.
        """
        write_atomically(self.path, self._encode(columns))
