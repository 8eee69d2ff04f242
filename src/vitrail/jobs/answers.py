"""Predictions as a file: CSV, JSON, JSON lines or Parquet, written as they come."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from vitrail.core.errors import DataError
from vitrail.core.files import as_text
from vitrail.core.table import Table
from vitrail.jobs.answer_file import Writer
from vitrail.jobs.prediction import Prediction

ROWS_AT_ONCE = 4096
"""Answers that are gathered before they are written as a group of rows of a Parquet file."""


def _text(file: IO[bytes], line: str) -> None:
    file.write(line.encode(errors="backslashreplace"))


@contextmanager
def _csv(file: IO[bytes]) -> Iterator[Callable[[Prediction], None]]:
    class Lines:
        def write(self, line: str) -> None:
            _text(file, line)

    writer = csv.writer(Lines())
    writer.writerow(["path", "label", "probability", "top", "error"])

    def add(answer: Prediction) -> None:
        top = ";".join(f"{label}={probability:.6f}" for label, probability in answer.top)
        writer.writerow(
            [answer.path, answer.label or "", answer.probability if answer.top else "", top, answer.error or ""]
        )

    yield add


@contextmanager
def _jsonl(file: IO[bytes]) -> Iterator[Callable[[Prediction], None]]:
    yield lambda answer: _text(file, json.dumps(answer.to_json(), ensure_ascii=False) + "\n")


@contextmanager
def _json(file: IO[bytes]) -> Iterator[Callable[[Prediction], None]]:
    separator = ""

    def add(answer: Prediction) -> None:
        nonlocal separator
        _text(file, separator + "\n" + json.dumps(answer.to_json(), ensure_ascii=False))
        separator = ","

    _text(file, '{"predictions": [')
    yield add
    _text(file, "\n]}\n")


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Callable[[Prediction], None]]:
    import pyarrow as arrow
    from pyarrow import parquet

    best = arrow.list_(arrow.struct([("label", arrow.string()), ("probability", arrow.float64())]))
    columns = [("path", arrow.string()), ("label", arrow.string()), ("probability", arrow.float64()), ("top", best)]
    schema = arrow.schema([*columns, ("error", arrow.string())])
    rows: list[dict[str, Any]] = []

    def add(answer: Prediction) -> None:
        record = answer.to_json()
        names = {key: as_text(record[key]) for key in ("path", "error") if record[key] is not None}
        rows.append({**record, **names})
        if len(rows) == ROWS_AT_ONCE:
            flush()

    def flush() -> None:
        writer.write_table(arrow.Table.from_pylist(rows, schema))
        rows.clear()

    with parquet.ParquetWriter(file, schema) as writer:
        yield add
        flush()


FORMATS: Table[Writer[Prediction]] = Table(
    "suffix of an output file", {".csv": _csv, ".json": _json, ".jsonl": _jsonl, ".parquet": _parquet}, error=DataError
)
