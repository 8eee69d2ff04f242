"""Images that cannot be used: named, left out, never swapped, never touched; with `strict`, refused."""

from __future__ import annotations

import csv
import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from safetensors.numpy import load_file

import vitrail
from vitrail.cli.main import main
from vitrail.data.loader import BadFile, TrainLoader
from vitrail.jobs.bad_files import BadFiles, refusal
from vitrail.jobs.events import Evaluated, Note
from vitrail.jobs.run_folder import RunFolder


def tree_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        digest.update(f"{path.relative_to(folder)}|{path.lstat().st_mtime_ns}|{path.lstat().st_mode}".encode())
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()


def rows(run: vitrail.jobs.fit.Run) -> list[dict[str, str]]:
    with (run.path / "bad_files.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path, write_digits):
    return write_digits(tmp_path / "data", 240, ("train", "val", "test"))


def cut(path: Path) -> Path:
    """Leave a header that is whole, and too few pixels."""
    path.write_bytes(path.read_bytes()[:-30])
    return path


@pytest.fixture
def as_files(monkeypatch):
    """Let no set live in memory, as if it were too large."""

    def choose(workers: int) -> None:
        loader = partial(TrainLoader, memory_limit=0, workers=workers)
        monkeypatch.setattr("vitrail.jobs.training.TrainLoader", loader)

    return choose


def test_nothing_is_swapped_and_nothing_is_touched(quick, data, tmp_path):
    victims = [cut(sorted((data / split).rglob("*.png"))[5]) for split in ("train", "val", "test")]
    before = tree_hash(data)
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, **quick)

    assert tree_hash(data) == before
    assert sorted(row["path"] for row in rows(run)) == sorted(str(one.relative_to(data)) for one in victims)
    assert all(str(data / row["path"]) in row["reason"] for row in rows(run))
    table = parquet.read_table(run.path / "predictions.parquet").to_pylist()
    files = [row["path"] for row in table]
    assert files == sorted(str(path.relative_to(data)) for path in (data / "test").rglob("*.png"))
    alone = vitrail.load(run).predict([data / name for name in files])
    for row, answer in zip(table, alone, strict=True):
        assert row["label"] == row["path"].split("/")[1]
        assert row["predicted"] == answer.label
        if answer.error is None:
            assert row["probability"] == pytest.approx(answer.probability, abs=1e-6)
    assert [row["path"] for row in table if row["error"]] == [str(victims[2].relative_to(data))]
    assert run.evaluation.metrics["n"] == len(files) - 1


def test_a_batch_of_bad_files_alone_does_not_stop_a_large_set(quick, data, tmp_path, as_files):
    """With batches of four, four of the training files that one epoch shows together are spoilt."""
    quick["settings"] = {**quick["settings"], "batch_size": 4}
    as_files(0)
    batches = []
    seen = vitrail.fit(
        data,
        out=tmp_path / "a",
        epochs=1,
        listener=lambda event: batches.append(getattr(event, "batch", None)),
        **quick,
    )
    second = [batch.indices.tolist() for batch in batches if batch is not None][1]
    names = sorted(str(path) for path in (data / "train").rglob("*.png"))
    for index in second:
        cut(Path(names[index]))
    weights = []
    for workers in (0, 2):
        as_files(workers)
        run = vitrail.fit(data, out=tmp_path / f"b{workers}", epochs=2, **quick)
        assert run.plan.steps == 2 * seen.plan.steps
        assert sorted(str(data / row["path"]) for row in rows(run)) == sorted(names[index] for index in second)
        weights.append(load_file(run.path / "model.safetensors"))
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_file_that_vanishes_between_epochs_is_named_and_not_fatal(quick, data, tmp_path, as_files):
    as_files(0)
    victims = [sorted((data / split).rglob("*.png"))[3] for split in ("train", "val")]
    notes = []

    def listener(event):
        if isinstance(event, Evaluated) and event.epoch == 0:
            for victim in victims:
                victim.unlink()
        if isinstance(event, Note) and event.warning:
            notes.append(event.text)

    run = vitrail.fit(data, out=tmp_path / "run", epochs=2, listener=listener, **quick)
    assert sorted(str(data / row["path"]) for row in rows(run)) == sorted(map(str, victims))
    assert all("no such file" in row["reason"] for row in rows(run))
    assert any("left out of training" in note and victims[0].name in note for note in notes)
    assert any("left out of val" in note and victims[1].name in note for note in notes)


def test_what_an_earlier_session_found_is_not_forgotten(tmp_path):
    folder, notes = RunFolder(tmp_path), []
    bad = BadFiles(folder, lambda event: notes.append(event.text))
    bad.write()
    assert not folder.bad_files.exists()
    bad.add("train", [BadFile(number, f"{number}.png", "gone") for number in range(5)])
    bad.add("train", [BadFile(0, "0.png", "gone again")])
    bad.write()
    assert notes == [
        *(f"left out of training: {number}.png: gone" for number in range(3)),
        "… and 2 more; all are listed in bad_files.csv",
    ]
    later = BadFiles(folder, lambda event: None)
    later.recall()
    later.add("val", [BadFile(7, 'a,"b"\n.png', "cut")])
    later.write()
    with folder.bad_files.open(newline="") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file)]
    assert found == [("train", f"{number}.png", "gone") for number in range(5)] + [("val", 'a,"b"\n.png', "cut")]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_strict_stops_fit_before_training(quick, data, tmp_path, split):
    victim = cut(sorted((data / split).rglob("*.png"))[5])
    with pytest.raises(vitrail.DataError, match="1 image cannot be used: .*" + victim.name) as caught:
        vitrail.fit(data, out=tmp_path / "run", epochs=1, strict=True, **quick)
    assert "--strict" in caught.value.hint and not (tmp_path / "run").exists()


def test_strict_lets_a_sound_set_be(quick, data, tmp_path):
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, strict=True, **quick)
    assert vitrail.evaluate(run, data, strict=True).metrics["n"] == 80


def test_strict_on_the_command_line(digits_run, tmp_path, write_digits, capsys):
    data = write_digits(tmp_path / "data", 120)
    for folder in data.iterdir():
        folder.rename(data / folder.name.removeprefix("class "))
    for number, path in enumerate(sorted(data.rglob("*.png"))[::15]):
        path.write_bytes([b"", b"<html>404</html>"][number % 2])
    for command in (
        ["fit", str(data), "--out", str(tmp_path / "run"), "--epochs", "1", "--strict"],
        ["evaluate", str(digits_run.path), str(data), "--strict"],
    ):
        assert main([*command, "--json"]) == 2
        printed = capsys.readouterr()
        answer = json.loads(printed.out)
        assert set(answer) == {"error", "hint"}
        assert answer["error"].startswith("8 images cannot be used: ") and "; and 3 more" in answer["error"]
        assert sum(map(answer["error"].count, ("the file is empty", "not an image of a known format"))) == 5
        assert "Traceback" not in printed.err
        assert main(command) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and "error: 8 images cannot be used" in printed.err and "hint: " in printed.err
    assert not (tmp_path / "run").exists()


def test_evaluate_states_what_it_measured(digits_run, tmp_path, write_digits, capsys):
    data = write_digits(tmp_path / "data", 60)
    for folder in data.iterdir():
        folder.rename(data / folder.name.removeprefix("class "))
    cut(min(data.rglob("*.png")))
    assert main(["evaluate", str(digits_run.path), str(data)]) == 0
    printed = capsys.readouterr()
    assert "n = 59" in printed.out and "1 image" in printed.out and "count in n" in printed.out
    assert "measured on 59 of 60 images" in printed.err


def test_the_error_lists_few_and_counts_all():
    assert refusal(["a: cut"]).message == "1 image cannot be used: a: cut"
    assert refusal([f"{n}: cut" for n in range(2000)]).message.endswith("4: cut; and 1995 more")
