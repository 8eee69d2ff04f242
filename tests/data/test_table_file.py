"""CSV and Parquet files with path, label and split."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vitrail.core.errors import DataError
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset, table_file


@pytest.fixture
def images(tmp_path: Path, png: bytes) -> Path:
    """Write twelve images below the folder in which tables are put."""
    (tmp_path / "images").mkdir()
    for index in range(12):
        (tmp_path / "images" / f"{index}.png").write_bytes(png)
    return tmp_path


def rows(count: int = 12, extra: str = "") -> str:
    return "".join(f"images/{index}.png,{'cat' if index % 2 else 'dog'}{extra}\n" for index in range(count))


def write(folder: Path, text: str | bytes, name: str = "set.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error_of(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        open_dataset(path)
    return caught.value


def labels_by_name(dataset: Dataset) -> dict[str, str]:
    return {
        name: dataset.classes[label]
        for samples in dataset.splits.values()
        for name, label in zip(samples.names, samples.labels.tolist(), strict=True)
    }


EXPECTED = {f"images/{index}.png": "cat" if index % 2 else "dog" for index in range(12)}


@pytest.mark.parametrize(
    "text",
    [
        "path,label\n" + rows(),
        "\ufeffpath,label\n" + rows(),
        "Path , LABEL\r\n" + rows().replace("\n", "\r\n"),
        "path;label\n" + rows().replace(",", ";"),
        "path\tlabel\n" + rows().replace(",", "\t"),
        "\n".join(f"{line},9" for line in ("path,label\n" + rows()).splitlines()).replace(",9", ",size", 1),
        "path,label\n\n" + rows().replace("cat", ' cat "').replace(' cat "', '" cat "') + "\n\n",
    ],
    ids=["plain", "bom", "windows", "semicolons", "tabs", "more columns", "blank lines and quotes"],
)
def test_csv(images: Path, text: str) -> None:
    dataset = open_dataset(write(images, text))

    assert dataset.classes == ("cat", "dog") and labels_by_name(dataset) == EXPECTED
    assert set(dataset.splits) == {"train", "val", "test"} and dataset.made_splits == ("test", "val")
    assert all(Path(path).is_file() for part in dataset.splits.values() for path in part.images)


def test_csv_relative_to_itself(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(images, "path,label\n" + rows())
    monkeypatch.chdir(images)
    train = open_dataset("set.csv").splits["train"]
    assert train.image(0) == train.names[0]
    absolute = rows().replace("images/", f"{images}/images/")
    (images / "deep").mkdir()
    dataset = open_dataset(write(images / "deep", "path,label\n" + absolute))
    assert all(Path(str(path)).is_file() for path in dataset.splits["train"].images)


def test_splits_of_a_table(images: Path) -> None:
    lines = rows().splitlines()
    splits = ["test"] * 2 + [" Valid "] * 2 + ["train"] * 8
    text = "\n".join(f"{line},{split}" for line, split in zip(lines, splits, strict=True))
    dataset = open_dataset(write(images, "path,label,split\n" + text))

    assert {split: len(part) for split, part in dataset.splits.items()} == {"train": 8, "val": 2, "test": 2}
    assert list(dataset.splits) == ["train", "val", "test"] and dataset.notes == () and dataset.made_splits == ()
    assert labels_by_name(dataset) == EXPECTED


def test_labels_are_names(images: Path) -> None:
    text = "".join(f"images/{index}.png,{'01' if index % 2 else '1'}\n" for index in range(12))

    assert open_dataset(write(images, "path,label\n" + text)).classes == ("01", "1")


def test_unicode_labels_are_one_class(images: Path) -> None:
    labels = ("Äpfel", "A\u0308pfel", "猫")
    text = "".join(f"images/{index}.png,{labels[index % 3]}\n" for index in range(12))

    assert open_dataset(write(images, "path,label\n" + text)).classes == ("Äpfel", "猫")


@pytest.mark.parametrize("kind", ["string", "large_string", "dictionary", "int64", "bool"])
def test_parquet(images: Path, kind: str) -> None:
    labels = ["1" if index % 2 else "0" for index in range(12)]
    column = pa.array(labels)
    if kind == "dictionary":
        column = column.dictionary_encode()
    elif kind == "bool":
        column = pa.array([label == "1" for label in labels])
    else:
        column = column.cast(pa.type_for_alias(kind))
    paths = pa.array([f"images/{index}.png" for index in range(12)])
    path = images / "set.parquet"
    pq.write_table(pa.table({"Label": column, "weight": pa.array([0.5] * 12), "path": paths}), path)
    dataset = open_dataset(path)

    assert dataset.classes == (("false", "true") if kind == "bool" else ("0", "1"))
    assert [labels_by_name(dataset)[f"images/{index}.png"] for index in range(12)] == [
        dataset.classes[int(label)] for label in labels
    ]


def test_parquet_errors(images: Path) -> None:
    path = images / "set.parquet"

    def table(**columns: object) -> Path:
        pq.write_table(pa.table(columns), path)
        return path

    assert "Parquet" in error_of(write(images, b"PAR1 no", "bad.parquet")).hint
    assert "Parquet" in error_of(write(images, b"", "bad.parquet")).hint
    assert "no column 'label'; found: 'path'" in error_of(table(path=["a"])).message
    assert "'label' is of type double" in error_of(table(path=["a"], label=[1.0])).message
    assert "row 2: label is empty" in error_of(table(path=["a", "b"], label=["x", None])).message
    assert "row 1: path is empty" in error_of(table(path=pa.nulls(1), label=["x"])).message
    assert "has no rows" in error_of(table(path=pa.array([], pa.string()), label=pa.array([], pa.string()))).message
    assert "row 1: split is 'dev'" in error_of(table(path=["a"], label=["x"], split=["dev"])).message


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "no column 'path' and no column 'label'; found: nothing", "path,label"),
        ("images/0.png,cat\n", "found: 'images/0.png', 'cat'", "path,label"),
        ("paths,Labels\na,b\n", "no column 'path' and no column 'label'; found: 'paths'", "rename 'paths' to"),
        ("path,class\na,b\n", "no column 'label'; found: 'path', 'class'", "path,label"),
        ("path,label,label\na,b,c\n", "more than one column 'label'", "keep one"),
        ("path,label\n", "has no rows", "path,label"),
        ("path,label\nimages/0.png,cat\n\nimages/1.png,\n", "line 4: label is empty", "fill it in"),
        ("path,label\nimages/0.png,cat\n  ,dog\n", "line 3: path is empty", "fill it in"),
        ("path,label\nima\0ges/0.png,cat\n", "line 2", ""),
        ("path,label\nimages/0.png\n", "line 2: 1 value for 2 columns", "quotes"),
        ("path,label\nimages/0.png,cat,dog\n", "line 2: 3 values for 2 columns", "quotes"),
        ('path,label\nimages/0.png,"cat\n', "line 2", "quotes"),
        ("path,label,split\nimages/0.png,cat,train\nimages/1.png,dog,tset\n", "line 3: split is 'tset'", "mean test"),
        ("path,label,split\nimages/0.png,cat,\n", "line 2: split is empty", "fill it in"),
        ("path,label\nnowhere/0.png,cat\nnowhere/1.png,dog\n", "not one of the 2 images", "table's folder"),
        ("path,label\nimages/0.png,cat\n./images/0.png,dog\n", "label 'cat' in line 2 and 'dog' in line 3", "once"),
        (
            "path,label,split\nimages/0.png,cat,train\nimages/0.png,cat,test\n",
            "split 'train' in line 2 and 'test' in line 3",
            "once",
        ),
        ("path,label\nimages/0.png,cat\nimages/1.png,cat\n", "one class to learn, 'cat'", "another class"),
        ("path,label,split\nimages/0.png,cat,test\nimages/1.png,dog,test\n", "no train split; found: 'test'", "add"),
        (
            "path,label,split\nimages/0.png,cat,train\nimages/1.png,dog,train\nimages/2.png,Dog,val\n",
            "class 'Dog' in val but not in train",
            "differ only in case",
        ),
    ],
)
def test_csv_errors(images: Path, text: str, message: str, hint: str) -> None:
    path = write(images, text)
    error = error_of(path)

    assert message in error.message and hint in error.hint and str(path) in error.message


def test_csv_of_another_encoding(images: Path, png: bytes) -> None:
    assert "not UTF-8" in error_of(write(images, "path,label\nimages/0.png,Äpfel\n".encode("latin-1"))).message
    assert "not UTF-8" in error_of(write(images, png)).message


def test_some_images_may_be_missing(images: Path) -> None:
    dataset = open_dataset(write(images, "path,label\n" + rows() + "images/no.png,cat\n"))

    assert sum(len(part) for part in dataset.splits.values()) == 13


def test_repeated_rows_count_once(images: Path) -> None:
    dataset = open_dataset(write(images, "path,label\n" + rows() + rows(2)))

    assert labels_by_name(dataset) == EXPECTED and sum(len(part) for part in dataset.splits.values()) == 12
    assert "left out: 2 rows" in dataset.notes[0] and dataset.notes[0].endswith("repeat another")


def test_lines_of_quoted_cells_are_counted_as_an_editor_does(images: Path) -> None:
    text = 'path,label,note\nimages/0.png,cat,"two\nlines"\nimages/1.png,,x\n'

    assert "line 4: label is empty" in error_of(write(images, text)).message


def test_every_reader_is_reached_by_its_suffix(images: Path) -> None:
    assert set(table_file.READERS) == {".csv", ".parquet"}
    assert labels_by_name(open_dataset(write(images, "path,label\n" + rows(), "SET.CSV"))) == EXPECTED
