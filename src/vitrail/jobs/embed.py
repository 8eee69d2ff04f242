"""Compute features of files, folders, patterns and lists of paths, into a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from vitrail.core.errors import DataError
from vitrail.core.files import as_text
from vitrail.core.table import Table
from vitrail.jobs.answer_file import AnswerFile
from vitrail.jobs.inputs import Inputs, apart_from
from vitrail.jobs.predict import refuse_bad
from vitrail.jobs.prediction import Embedding
from vitrail.jobs.predictor import Predictor, load
from vitrail.models.features import Features
from vitrail.weights.model_file import tensors_sha256
from vitrail.weights.reference import Reference

BYTES_AT_ONCE = 16 * 2**20
"""Features that are gathered before they are written as a group of rows."""


def embed_paths(
    reference: Reference | Any,
    paths: Sequence[str],
    out: str,
    pool: str = "model",
    device: str | None = "cpu",
    strict: bool = False,
) -> Iterator[Embedding]:
    """Compute features of images named by path, and write them as they come; memory does not grow with their number.

    Args:
        reference: as for `predict_paths`.
        paths: as for `predict_paths`.
        out: `.parquet` to write: columns path, features, error, and grid if it differs between images; what the
            features are is in the schema's metadata.
        pool: as for `Predictor.embed`.
        device: where to compute; None or "auto" for the fastest there is.
        strict: stop at the first image that cannot be used.

    Returns:
        The features of each image, in order; consumed as a stream, the file is there when it ends, and not before.

    Raises:
        WeightsError: if the model cannot be loaded.
        ConfigError: for an unknown pool, or for the class token of a model that has none.
        DataError: as `predict_paths`.
        ImageError: while streaming, for a bad image, if `strict`.
        StorageError: if writing fails midway.
    """
    writer = FEATURE_FORMATS[Path(out).suffix.lower()]
    inputs = Inputs.named(paths)
    file = AnswerFile[Embedding](Path(out), inputs)
    predictor = load(reference, device)
    about = describe_features(predictor, pool)
    answers = predictor.stream_features(apart_from(file.path, inputs), pool)
    return file.write(refuse_bad(answers) if strict else answers, partial(writer, about=about))


def describe_features(predictor: Predictor, pool: str) -> dict[str, Any]:
    """Say what features are, so that those of different models are not taken for each other.

    Args:
        predictor: the model.
        pool: as for `Predictor.embed`.

    Returns:
        sha256 of the model's tensors, as in its file; model, the file's name; pool, shape, dim, grid, prefix_tokens.
        Where images keep their aspect, the grid is None, and so is the number of tokens in the shape.

    Raises:
        ConfigError: as `Predictor.embed`.
    """
    config, grid = predictor.model.config, predictor.grid
    *tokens, dim = Features(predictor.model, pool).shape(grid)
    return {
        "sha256": tensors_sha256(predictor.model.state_dict()),
        "model": predictor.path.name,
        "pool": pool,
        "shape": [*(tokens if grid else [None] * len(tokens)), dim],
        "dim": config.embed_dim,
        "grid": None if grid is None else list(grid),
        "prefix_tokens": config.tokens.count,
    }


@contextmanager
def _parquet(file: IO[bytes], about: dict[str, Any]) -> Iterator[Callable[[Embedding], None]]:
    import pyarrow
    from pyarrow import parquet

    kind = pyarrow.float32()
    for _ in about["shape"]:
        kind = pyarrow.list_(kind)
    columns = [("path", pyarrow.string()), ("features", kind), ("error", pyarrow.string())]
    if about["grid"] is None:
        columns.append(("grid", pyarrow.list_(pyarrow.int32())))
    schema = pyarrow.schema(columns, metadata={"vitrail": json.dumps(about)})
    rows: list[Embedding] = []
    gathered = 0

    def flush() -> None:
        paths = pyarrow.array([as_text(row.path) for row in rows], pyarrow.string())
        errors = pyarrow.array([None if row.error is None else as_text(row.error) for row in rows], pyarrow.string())
        arrays = [paths, _lists(rows, about["shape"]), errors]
        if about["grid"] is None:
            arrays.append(pyarrow.array([row.grid for row in rows], pyarrow.list_(pyarrow.int32())))
        writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
        rows.clear()

    def add(answer: Embedding) -> None:
        nonlocal gathered
        rows.append(answer)
        gathered += 4 * about["dim"] if answer.features is None else answer.features.nbytes
        if gathered >= BYTES_AT_ONCE:
            flush()
            gathered = 0

    with parquet.ParquetWriter(file, schema, use_dictionary=False) as writer:
        yield add
        if rows:
            flush()


def _lists(rows: list[Embedding], shape: list[int | None]) -> Any:
    """Make a column of lists, or of lists of lists, without turning numbers into objects; bad images have none."""
    import pyarrow

    missing = np.array([row.features is None for row in rows])
    good = [row.features for row in rows if row.features is not None]
    values = np.concatenate(good).reshape(-1) if good else np.empty(0, dtype=np.float32)
    column = pyarrow.array(values, pyarrow.float32())
    if len(shape) == 2:
        starts = np.arange(0, len(values) + 1, shape[1], dtype=np.int32)
        column = pyarrow.ListArray.from_arrays(pyarrow.array(starts), column)
    ends = np.cumsum([0 if row.features is None else len(row.features) for row in rows])
    starts = np.concatenate([[0], ends]).astype(np.int32)
    return pyarrow.ListArray.from_arrays(pyarrow.array(starts), column, mask=pyarrow.array(missing))


FEATURE_FORMATS: Table[Any] = Table("suffix of an output file", {".parquet": _parquet}, error=DataError)
