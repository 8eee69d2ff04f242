"""Classify files, folders, patterns and lists of paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vitrail.core.errors import ConfigError, ImageError
from vitrail.jobs.answer_file import AnswerFile
from vitrail.jobs.answers import FORMATS
from vitrail.jobs.inputs import Inputs, apart_from
from vitrail.jobs.prediction import Embedding, Prediction
from vitrail.jobs.predictor import load
from vitrail.weights.reference import Reference

Answer = TypeVar("Answer", Prediction, Embedding)


def predict_paths(
    reference: Reference | Any,
    paths: Sequence[str],
    out: str | None = None,
    top: int = 1,
    device: str | None = "cpu",
    strict: bool = False,
    max_error: float | None = None,
) -> Iterator[Prediction]:
    """Classify images named by path, and write the answers as they come; memory does not grow with their number.

    Args:
        reference: a run folder, a model file, weights of another library, or a Predictor.
        paths: files; folders (all images below); glob patterns; lists of paths; "-" for lines of standard input.
        out: `.csv`, `.json`, `.jsonl` or `.parquet` to write; None for none.
        top: how many classes to name.
        device: where to compute; None or "auto" for the fastest there is.
        strict: stop at the first image that cannot be used.
        max_error: part of the answers that may be wrong, 0 < rate < 1; "unsure" is answered where needed to keep it.

    Returns:
        One answer for each image, in order; consumed as a stream, the file is there when it ends, and not before.

    Raises:
        WeightsError: if the model cannot be loaded.
        ConfigError: if `top` is below 1, or `max_error` cannot be promised.
        DataError: if a path is missing or holds no image; or `out` has another suffix, cannot be written, or is one of
            the inputs.
        ImageError: while streaming, for a bad image, if `strict`.
        StorageError: if writing fails midway.
    """
    if top < 1:
        raise ConfigError(f"top = {top} is not allowed", hint="allowed: 1 or more")
    writer = None if out is None else FORMATS[Path(out).suffix.lower()]
    inputs = Inputs.named(paths)
    file = None if out is None else AnswerFile[Prediction](Path(out), inputs)
    predictor = load(reference, device)
    answers = predictor.stream(iter(inputs) if file is None else apart_from(file.path, inputs), top, max_error)
    answers = refuse_bad(answers) if strict else answers
    return answers if file is None or writer is None else file.write(answers, writer)


def refuse_bad(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Stop at the first image that could not be used.

    Args:
        answers: in order.

    Yields:
        The answers before it.

    Raises:
        ImageError: that names it, with the reason.
    """
    for answer in answers:
        if answer.error is not None:
            raise ImageError(answer.error, hint="mend or remove the file, or leave out --strict")
        yield answer


def expand_paths(paths: Iterable[str]) -> list[str]:
    """Turn what was named into a list of files.

    Args:
        paths: as for `predict_paths`.

    Returns:
        Files in the order named; those of a folder or pattern sorted, folder by folder.

    Raises:
        DataError: if one is missing or stands for no image.
    """
    return list(Inputs.named(paths))
