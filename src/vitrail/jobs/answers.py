"""Predictions as a file: CSV, JSON, JSON lines or Parquet, written as they come."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from vitrail.core.errors import DataError, StorageError
from vitrail.core.files import as_text, storage
from vitrail.core.table import Table
from vitrail.jobs.predictor import Prediction

Writer = Callable[[IO[bytes]], "tuple[Callable[[Prediction], None], Callable[[], None]]"]


def _text(file: IO[bytes], line: str) -> None:
    file.write(line.encode(errors="backslashreplace"))


def _csv(file: IO[bytes]) -> tuple[Callable[[Prediction], None], Callable[[], None]]:
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

    return add, lambda: None


def _jsonl(file: IO[bytes]) -> tuple[Callable[[Prediction], None], Callable[[], None]]:
    return lambda answer: _text(file, json.dumps(answer.to_json(), ensure_ascii=False) + "\n"), lambda: None


def _json(file: IO[bytes]) -> tuple[Callable[[Prediction], None], Callable[[], None]]:
    _text(file, '{"predictions": [')
    separator = [""]

    def add(answer: Prediction) -> None:
        _text(file, separator[0] + "\n" + json.dumps(answer.to_json(), ensure_ascii=False))
        separator[0] = ","

    return add, lambda: _text(file, "\n]}\n")


def _parquet(file: IO[bytes]) -> tuple[Callable[[Prediction], None], Callable[[], None]]:
    import pyarrow as arrow
    from pyarrow import parquet

    best = arrow.list_(arrow.struct([("label", arrow.string()), ("probability", arrow.float64())]))
    columns = [("path", arrow.string()), ("label", arrow.string()), ("probability", arrow.float64()), ("top", best)]
    schema = arrow.schema([*columns, ("error", arrow.string())])
    writer = parquet.ParquetWriter(file, schema)
    rows: list[dict[str, Any]] = []

    def flush() -> None:
        writer.write_table(arrow.Table.from_pylist(rows, schema))
        rows.clear()

    def add(answer: Prediction) -> None:
        record = answer.to_json()
        names = {key: as_text(record[key]) for key in ("path", "error") if record[key] is not None}
        rows.append({**record, **names})
        if len(rows) == 4096:
            flush()

    def close() -> None:
        flush()
        writer.close()

    return add, close


FORMATS: Table[Writer] = Table(
    "suffix of an output file", {".csv": _csv, ".json": _json, ".jsonl": _jsonl, ".parquet": _parquet}, error=DataError
)


class AnswerFile:
    """Write predictions under a temporary name, renamed when all are there.

    Args:
        path: final name.
        file: the open temporary file.
    """

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path = path
        self.file = file
        self.temporary = Path(file.name)

    @classmethod
    def open(cls, path: Path, inputs: Sequence[str]) -> AnswerFile:
        """Begin a file, before any work is done.

        Args:
            path: final name; its suffix chooses the format.
            inputs: the images, none of which may be overwritten.

        Returns:
            The file.

        Raises:
            DataError: for another suffix, if `path` is one of the inputs, or if it cannot be written.
        """
        _ = FORMATS[path.suffix.lower()]
        if path.exists() and any(os.path.samefile(path, name) for name in inputs if Path(name).name == path.name):
            raise DataError(f"--out {path} is one of the inputs", hint="give another name")
        if path.is_dir():
            raise DataError(f"--out {path} is a folder", hint="give a file name")
        try:
            with storage(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                return cls(path, path.with_name(f".{path.name}.{os.getpid()}.tmp").open("wb"))
        except StorageError as error:
            raise DataError(error.message, error.hint) from error

    def write(self, answers: Iterator[Prediction]) -> Iterator[Prediction]:
        """Write answers as they pass.

        Args:
            answers: what to write.

        Yields:
            The same answers.

        Raises:
            StorageError: if the disk refuses; no file is then left under the final name.
        """
        try:
            with self.file:
                with storage(self.path):
                    add, close = FORMATS[self.path.suffix.lower()](self.file)
                for answer in answers:
                    with storage(self.path):
                        add(answer)
                    yield answer
                with storage(self.path):
                    close()
            with storage(self.path):
                os.replace(self.temporary, self.path)
        finally:
            with suppress(OSError):
                self.temporary.unlink()
