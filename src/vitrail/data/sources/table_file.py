"""A CSV or Parquet file with one image a row: path, label and, if wanted, split."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vitrail.core.errors import DataError
from vitrail.core.table import did_you_mean, nearest
from vitrail.data.dataset import Paths, Samples
from vitrail.data.sources.listing import SPLIT_NAMES, UNSPLIT, Listing, canonical, plural, printable, quoted

REQUIRED = ("path", "label")
COLUMNS = (*REQUIRED, "split")


@dataclass(frozen=True)
class _Rows:
    """Hold the columns as text, all of one length.

    Args:
        columns: "path", "label" and perhaps "split" → texts; None where the file has no value.
        places: number of each row, as an editor shows it.
        unit: what the numbers count, "line" or "row".
    """

    columns: Mapping[str, Sequence[str | None]]
    places: Sequence[int]
    unit: str


def read(path: str) -> Listing:
    """List the images of a table; no image is opened.

    Args:
        path: a `.csv` (UTF-8; separated by commas, semicolons or tabs) or `.parquet` file with the columns `path`,
            `label` and, if wanted, `split` (train, val or test). Relative paths start from the table's folder. Labels
            are names: "01" stays "01".

    Returns:
        The splits that are given, or one unsplit set.

    Raises:
        DataError: if a column or value is missing or not allowed, if an image has two labels or is in two splits, or
            if not one image exists.
    """
    rows = READERS[os.path.splitext(path)[1].lower()](path)
    paths = [_value(path, rows, "path", index) for index in range(len(rows.places))]
    labels = [canonical(_value(path, rows, "label", index).strip()) for index in range(len(paths))]
    splits = _splits(path, rows) if "split" in rows.columns else [UNSPLIT] * len(paths)
    if not paths:
        raise DataError(f"{path} has no rows", hint="one row an image: path,label or path,label,split")
    kept, notes = _unique(path, rows, paths, list(zip(labels, splits, strict=True)))
    root = os.path.dirname(path)
    if not any(map(os.path.exists, Paths(root, paths))):
        raise DataError(
            f"not one of the {plural(len(kept), 'image')} of {path} exists; the first: {os.path.join(root, paths[0])}",
            hint=f"relative paths start from the table's folder, {root or '.'}",
        )
    vocabulary = tuple(sorted(set(labels)))
    codes = {label: code for code, label in enumerate(vocabulary)}
    samples = {}
    for split in dict.fromkeys(splits):
        chosen = [index for index in kept if splits[index] == split]
        names = [paths[index] for index in chosen]
        array = np.array([codes[labels[index]] for index in chosen], dtype=np.int64)
        samples[split] = Samples(Paths(root, names), array, [printable(name) for name in names])
    return Listing(vocabulary, samples, notes=notes)


def _value(path: str, rows: _Rows, column: str, index: int) -> str:
    value = rows.columns[column][index]
    if value is None or not value.strip() or "\0" in value:
        what = "empty" if value is None or not value.strip() else "no valid text"
        raise DataError(
            f"{path}, {rows.unit} {rows.places[index]}: {column} is {what}", hint="fill it in, or remove the row"
        )
    return value


def _splits(path: str, rows: _Rows) -> list[str]:
    splits = []
    for index in range(len(rows.places)):
        value = _value(path, rows, "split", index).strip()
        if value.lower() not in SPLIT_NAMES:
            raise DataError(
                f"{path}, {rows.unit} {rows.places[index]}: split is {value!r}; allowed: train, val, test",
                hint=did_you_mean(value, ("train", "val", "test")),
            )
        splits.append(SPLIT_NAMES[value.lower()])
    return splits


def _unique(
    path: str, rows: _Rows, paths: list[str], entries: list[tuple[str, str]]
) -> tuple[list[int], tuple[str, ...]]:
    """Keep each image once; one that is trained on under two labels, or tested on as well, would falsify results."""
    first: dict[str, int] = {}
    for index, name in enumerate(paths):
        before = first.setdefault(os.path.normpath(name), index)
        for what, old, new in zip(("label", "split"), entries[before], entries[index], strict=True):
            if old != new:
                raise DataError(
                    f"{path}: {name!r} has {what} {old!r} in {rows.unit} {rows.places[before]} and {new!r} in "
                    f"{rows.unit} {rows.places[index]}",
                    hint="list each image once",
                )
    repeated = len(paths) - len(first)
    note = f"left out: {plural(repeated, 'row')} of {path} that repeat{'s' * (repeated == 1)} another"
    return list(first.values()), (note,) if repeated else ()


def _read_csv(path: str) -> _Rows:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True)
            names = _header(path, next(reader, []))
            width, positions = len(names), {name: names.index(name) for name in COLUMNS if name in names}
            columns: dict[str, list[str | None]] = {name: [] for name in positions}
            places = []
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != width:
                    raise DataError(
                        f"{path}, line {reader.line_num}: {plural(len(cells), 'value')} for {plural(width, 'column')}",
                        hint='values that hold a comma are written in quotes: "a,b"',
                    )
                places.append(reader.line_num)
                for name, position in positions.items():
                    columns[name].append(cells[position])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text: {error}", hint="save it as CSV UTF-8") from error
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}", hint="check its quotes") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", hint="check its permissions") from error
    return _Rows(columns, places, "line")


def _read_parquet(path: str) -> _Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = _header(path, file.schema_arrow.names)
            original = dict(zip(names, file.schema_arrow.names, strict=True))
            table = file.read(columns=[original[name] for name in COLUMNS if name in original])
        columns = {name: _text(path, name, table[original[name]]) for name in COLUMNS if name in original}
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read: {reason}", hint="it must be a Parquet file") from error
    return _Rows(columns, range(1, table.num_rows + 1), "row")


def _text(path: str, name: str, column: Any) -> list[str | None]:
    """Turn an Arrow column into texts; numbers with a fraction are refused, since 1 and 1.0 would be two names."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not any(
        allowed(kind)
        for allowed in (
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_integer,
            pa.types.is_boolean,
            pa.types.is_null,
        )
    ):
        raise DataError(
            f"{path}: column {name!r} is of type {kind}; allowed: text, whole numbers", hint="write it as text"
        )
    texts: list[str | None] = column.cast(kind).cast(pa.string()).to_pylist()
    return texts


def _header(path: str, cells: Sequence[str]) -> list[str]:
    names = [cell.strip().lower() for cell in cells]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        close = {name: nearest(name, names, 1) for name in missing}
        renames = [f"rename {found[0]!r} to {name!r}" for name, found in close.items() if found]
        what = " and no column ".join(repr(name) for name in missing)
        raise DataError(
            f"{path} has no column {what}; found: {quoted(cells, 12) or 'nothing'}",
            hint="; ".join(renames) or "its first line must be path,label or path,label,split",
        )
    repeated = [name for name in COLUMNS if names.count(name) > 1]
    if repeated:
        raise DataError(f"{path} has more than one column {quoted(repeated)}", hint="keep one of them")
    return names


READERS: dict[str, Callable[[str], _Rows]] = {".csv": _read_csv, ".parquet": _read_parquet}
"""Suffix of a file, in lower case → what reads its columns."""
