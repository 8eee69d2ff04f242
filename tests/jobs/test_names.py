"""Files and classes with names in any script, from `fit` to a table of predictions."""

from __future__ import annotations

import csv
import json
import os
import unicodedata

import pytest
from pyarrow import parquet

from vitrail.cli.main import main

CLASSES = [
    "قطط", "犬 🐕", unicodedata.normalize("NFD", "Äpfel"), "two\nlines", "it's \"new\", 100%; {a}", "-rf", "<b>bold",
    os.fsdecode(b"caf\xe9"), "a\\b", "x" * 120,
]  # fmt: skip


def shown(name: str) -> str:
    """The text that stands for a name: composed, bytes that are no text spelt out."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_digits):
    root = write_digits(tmp_path_factory.mktemp("names") / "données 数据", 200)
    for number, name in enumerate(CLASSES):
        folder = root / f"class {number}"
        for path in folder.iterdir():
            path.rename(path.with_name(f"{name[:40]} {path.name}"))
        folder.rename(root / name)
    broken = min((root / CLASSES[7]).iterdir())
    broken.write_bytes(b"")
    return root


def test_names_survive_everything(data, tmp_path, capsys):
    run = tmp_path / "-run é"
    model = ["--model", "vit_nano_conv_patch2_8", "--epochs", "1", "--set", "depth=1"]
    assert main(["fit", str(data), "--out", str(run), "--json", *model]) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert {row["label"] for row in fitted["per_class"]} == set(map(shown, CLASSES))

    files = sorted(shown(str(path.relative_to(data))) for path in data.rglob("*.png"))
    table = parquet.read_table(run / "predictions.parquet").to_pylist()
    assert {row["path"] for row in table} <= set(files)
    assert all(row["path"].startswith(row["label"] + "/") for row in table)
    with (run / "bad_files.csv").open(encoding="utf-8", newline="") as file:
        (bad,) = csv.DictReader(file)
    assert bad["path"].startswith("caf\\xe9/caf\\xe9 ") and "caf\\xe9" in bad["reason"] and "empty" in bad["reason"]
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;bold" in page and "<b>bold" not in page and "قطط" in page

    for suffix in (".csv", ".jsonl", ".parquet"):
        out = tmp_path / f"answers{suffix}"
        assert main(["predict", str(run), str(data), "--out", str(out)]) == 0
    capsys.readouterr()
    with (tmp_path / "answers.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(files) and sum(bool(row["error"]) for row in rows) == 1
    assert {row["label"] for row in rows} - {""} <= set(map(shown, CLASSES))
    assert main(["evaluate", str(run), str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == fitted["n"]
