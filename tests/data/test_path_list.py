"""Lists of paths: every kind of file, and what is wrong with one."""

from __future__ import annotations

import os

import pyarrow
import pytest
from pyarrow import parquet

import vitrail
from vitrail.data.path_list import is_path_list, read_path_list

PATHS = ["a.png", "b c.png", "/abs/ü.png", "sub/d.png"]


def expected(folder):
    return [os.path.join(folder, name) for name in PATHS]


def test_text_has_one_path_a_line(tmp_path):
    file = tmp_path / "list.TXT"
    file.write_bytes("\r\n".join(["", *PATHS]).encode() + b"\n\n\xff.png")
    assert is_path_list(str(file))
    assert list(read_path_list(str(file))) == [*expected(tmp_path), os.path.join(tmp_path, "\udcff.png")]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_needs_a_column_path(tmp_path, separator, encoding):
    file = tmp_path / "list.csv"
    lines = [separator.join(("label", " Path ")), *(separator.join(("x", f'"{name}"')) for name in PATHS), ""]
    file.write_text("\n".join(lines), encoding=encoding)
    assert list(read_path_list(str(file))) == expected(tmp_path)


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.dictionary("int32", "string")])
def test_parquet_needs_a_column_path(tmp_path, kind):
    file = tmp_path / "list.parquet"
    column = pyarrow.array(PATHS * 3000).cast(pyarrow.string())
    column = column.dictionary_encode() if pyarrow.types.is_dictionary(kind) else column.cast(kind)
    parquet.write_table(pyarrow.table({"n": range(12_000), "path": column}), file)
    assert list(read_path_list(str(file))) == expected(tmp_path) * 3000


@pytest.mark.parametrize(
    ("text", "words", "hint"),
    [
        ("", "no column 'path'; found: nothing", "path"),
        ("file,label\na,b\n", "found: 'file', 'label'", "name the column"),
        ("paths,label\na,b\n", "found: 'paths', 'label'", "rename 'paths'"),
        ("path,PATH\na,b\n", "more than one", "one"),
        ("path\na.png\na,b.png\n", "line 3: 2 values for 1 column", "quotes"),
        ("path,n\n ,1\n", "line 2: path is empty", "row"),
        ("path\na\0.png\n", "line 2: path is no valid text", "row"),
        ('path\n"a\n', "line 2", "quotes"),
    ],
)
def test_a_wrong_csv_says_where(tmp_path, text, words, hint):
    file = tmp_path / "list.csv"
    file.write_text(text)
    with pytest.raises(vitrail.DataError) as caught:
        list(read_path_list(str(file)))
    assert words in caught.value.message
    assert hint in caught.value.hint


def test_a_wrong_parquet_says_where(tmp_path):
    file = tmp_path / "list.parquet"
    cases = {
        "no column 'path'; found: 'file'": {"file": ["a"]},
        "of type int64": {"path": [1]},
        "row 2: path is empty": {"path": ["a", None]},
    }
    for words, columns in cases.items():
        parquet.write_table(pyarrow.table(columns), file)
        with pytest.raises(vitrail.DataError, match=words):
            list(read_path_list(str(file)))
    file.write_bytes(b"no table")
    with pytest.raises(vitrail.DataError, match="cannot be read"):
        list(read_path_list(str(file)))


def test_an_unreadable_list_is_named(tmp_path):
    with pytest.raises(vitrail.DataError, match="gone.txt cannot be read: No such file"):
        list(read_path_list(str(tmp_path / "gone.txt")))
