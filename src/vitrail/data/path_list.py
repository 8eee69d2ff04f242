"""Paths of images named in a file or on standard input, read one after another."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing

from vitrail.core.errors import DataError
from vitrail.core.table import Table, nearest
from vitrail.data.sources.listing import plural, quoted

COLUMN = "path"
_Paths = Generator[str, None, None]


def read_path_list(path: str) -> Iterator[str]:
    """Read the paths that a list names.

    Args:
        path: a `.csv` (UTF-8; separated by commas, semicolons or tabs) or `.parquet` file with a column `path`, or a
            `.txt` file with one path a line.

    Yields:
        Paths in the order of the list; relative ones start from its folder.

    Raises:
        DataError: if the file cannot be read, has no such column, or a row has no path.
    """
    root = os.path.dirname(path)
    reader = PATH_LISTS[os.path.splitext(path)[1].lower()]
    try:
        with closing(reader(path)) as names:
            for name in names:
                yield os.path.join(root, name)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}", hint="check its permissions") from error


def is_path_list(path: str) -> bool:
    """Say whether a file name ends like a list's.

    Args:
        path: file name.

    Returns:
        True for `.csv`, `.parquet` and `.txt`, in any case.
    """
    return os.path.splitext(path)[1].lower() in PATH_LISTS


def read_lines(lines: Iterable[bytes]) -> Iterator[str]:
    """Read one path a line.

    Args:
        lines: of a file or pipe, in the encoding of file names; empty ones are passed over.

    Yields:
        Paths as the operating system takes them.
    """
    for line in lines:
        name = line.rstrip(b"\r\n")
        if name:
            yield os.fsdecode(name)


def _read_text(path: str) -> _Paths:
    with open(path, "rb") as file:
        yield from read_lines(file)


def _read_csv(path: str) -> _Paths:
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        header = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True)
        try:
            names = next(reader, [])
            place = _position(path, names)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise DataError(
                        f"{path}, line {reader.line_num}: {plural(len(cells), 'value')} for "
                        f"{plural(len(names), 'column')}",
                        hint='values that hold a comma are written in quotes: "a,b"',
                    )
                yield _required(cells[place], f"{path}, line {reader.line_num}")
        except csv.Error as error:
            raise DataError(f"{path}, line {reader.line_num}: {error}", hint="check its quotes") from error


def _read_parquet(path: str) -> _Paths:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            column = names[_position(path, names)]
            kind = file.schema_arrow.field(column).type
            kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
            if kind not in (pyarrow.string(), pyarrow.large_string(), pyarrow.string_view()):
                raise DataError(f"{path}: column {column!r} is of type {kind}; allowed: text", hint="write it as text")
            row = 0
            for batch in file.iter_batches(4096, columns=[column]):
                for value in batch.column(0).to_pylist():
                    row += 1
                    yield _required(value, f"{path}, row {row}")
    except pyarrow.ArrowException as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read: {reason}", hint="it must be a Parquet file") from error


def _position(path: str, cells: Sequence[str]) -> int:
    names = [cell.strip().lower() for cell in cells]
    if names.count(COLUMN) == 1:
        return names.index(COLUMN)
    if COLUMN in names:
        raise DataError(f"{path} has more than one column {COLUMN!r}", hint="keep one of them")
    close = nearest(COLUMN, names, 1)
    raise DataError(
        f"{path} has no column {COLUMN!r}; found: {quoted(cells, 12) or 'nothing'}",
        hint=f"rename {close[0]!r} to {COLUMN!r}" if close else f"name the column of paths {COLUMN!r}",
    )


def _required(value: str | None, where: str) -> str:
    if value is None or not value.strip() or "\0" in value:
        what = "no valid text" if value and value.strip() else "empty"
        raise DataError(f"{where}: {COLUMN} is {what}", hint="fill it in, or remove the row")
    return value


PATH_LISTS: Table[Callable[[str], _Paths]] = Table(
    "suffix of a list of paths", {".csv": _read_csv, ".parquet": _read_parquet, ".txt": _read_text}, error=DataError
)
