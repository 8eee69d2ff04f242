"""The data check as a job: nothing is changed, files are whole or absent, and training is warned."""

from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

import vitrail
from vitrail.core.errors import DataError
from vitrail.data.check.findings import FINDINGS
from vitrail.data.sources import open_dataset
from vitrail.jobs.check import check, warn_of_data
from vitrail.jobs.events import Advanced, Note


def digest(folder):
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path).encode() + str(path.stat().st_mtime_ns).encode())
        found.update(path.read_bytes() if path.is_file() else b"")
    return found.hexdigest()


@pytest.fixture
def folder(tmp_path):
    """Write a set of two classes in two splits: a bad file, a leak, a label conflict, a picture twice."""
    root = tmp_path / "data"
    random = np.random.default_rng(0)
    for split, count in (("train", 6), ("test", 3)):
        for label in ("cat", "dog"):
            place = root / split / label
            place.mkdir(parents=True)
            for number in range(count):
                coarse = Image.fromarray(random.integers(0, 256, (9, 9, 3), dtype=np.uint8))
                coarse.resize((72, 72), Image.Resampling.BICUBIC).save(place / f"{number}.png")
    (root / "train/cat/bad.png").write_bytes(b"bad")
    Image.open(root / "train/cat/0.png").save(root / "test/cat/leak.bmp")
    Image.open(root / "train/cat/1.png").save(root / "train/dog/conflict.png")
    Image.open(root / "train/dog/2.png").resize((60, 60)).save(root / "train/dog/again.jpg", quality=90)
    return root


def names(items, result):
    return [tuple(os.path.basename(result.catalogue.names[index]) for index in item.images) for item in items]


def test_everything_planted_is_found_and_no_file_is_changed(folder, tmp_path):
    before = digest(folder)
    result = check(str(folder), out=tmp_path / "check.html", write_clean=tmp_path / "keep.csv")
    assert digest(folder) == before
    assert sorted(os.listdir(tmp_path)) == ["check.html", "data", "keep.csv"]
    assert set(result.findings) == set(FINDINGS)
    assert names(result.findings["bad_files"], result) == [("bad.png",)]
    assert names(result.findings["leaks"], result) == [("0.png", "leak.bmp")]
    assert names(result.findings["label_conflicts"], result) == [("1.png", "conflict.png")]
    assert len(result.findings["duplicates"]) == 3
    assert len(result.problems) == 4
    assert result.split_sizes() == {"train": 15, "test": 7}
    assert result.kept == 17


def test_json_says_of_each_image_where_it_is(folder):
    answer = check(folder).to_json()
    assert answer["bad_files"] == [
        {"path": str(folder / "train/cat/bad.png"), "label": "cat", "split": "train",
         "reason": "not an image of a known format"}
    ]  # fmt: skip
    (leak,) = answer["leaks"]
    assert leak["kind"] == "exact"
    assert [one["path"] for one in leak["images"]] == [
        str(folder / "train/cat/0.png"), str(folder / "test/cat/leak.bmp")
    ]  # fmt: skip
    assert [one["split"] for one in leak["images"]] == ["train", "test"]
    assert {one["kind"] for one in answer["duplicates"]} == {"exact", "near"}
    assert (answer["n"], answer["keep"], answer["data"]) == (22, 17, str(folder))
    assert "label_errors" not in answer
    assert "out" not in answer


def test_the_list_of_what_to_keep_can_be_trained_on(folder, tmp_path, quick):
    check(folder, write_clean=tmp_path / "lists" / "keep.csv")
    dataset = open_dataset(tmp_path / "lists" / "keep.csv")
    kept = [name for samples in dataset.splits.values() for name in samples.names]
    assert len(kept) == 17
    assert not [name for name in kept if os.path.basename(name) in ("bad.png", "conflict.png", "again.jpg")]
    assert check(tmp_path / "lists" / "keep.csv").problems == {}
    run = vitrail.fit(tmp_path / "lists" / "keep.csv", out=tmp_path / "run", epochs=1, **quick)
    assert run.evaluation.metrics["n"] == 7


def test_without_near_duplicates_only_equal_images_are_found(folder):
    assert len(check(folder, near=False).findings["duplicates"]) == 2


def test_progress_and_notes_are_told(folder):
    events = []
    (folder / "train" / "cat" / "notes.txt").write_text("x")
    check(folder, listener=events.append)
    last = {event.what: (event.done, event.total) for event in events if isinstance(event, Advanced)}
    assert last["looking at images"] == (22, 22)
    assert last["searching near duplicates"] == (19, 19)
    assert any("notes.txt" in event.text for event in events if isinstance(event, Note))


@pytest.mark.parametrize(("flags", "message"), [
    ({"out": "data"}, "does not end in .html"),
    ({"out": "folder.html"}, "is a folder"),
    ({"out": "data/train/cat/0.png/page.html"}, "is a file"),
    ({"write_clean": "keep.txt"}, "does not end in .csv"),
    ({"write_clean": "list.csv"}, "is part of the data"),
])  # fmt: skip
def test_where_nothing_can_be_written_nothing_is_done(folder, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "list.csv").write_text("path,label\ndata/train/cat/0.png,a\ndata/train/cat/1.png,b\n")
    before = digest(tmp_path)
    monkeypatch.setattr("vitrail.jobs.check.survey", lambda *args: pytest.fail("looked at images first"))
    with pytest.raises(DataError, match=message) as error:
        check("list.csv", **flags)
    assert error.value.hint
    assert digest(tmp_path) == before


def test_a_picture_of_the_data_is_not_overwritten(folder, tmp_path):
    page = folder / "train" / "cat" / "page.html"
    os.link(folder / "train/cat/0.png", page)
    with pytest.raises(DataError, match="part of the data"):
        check(folder, out=page)


def test_data_that_cannot_be_read_are_refused(tmp_path, folder):
    with pytest.raises(DataError, match="no such file"):
        check(str(tmp_path / "nothing"))
    for path in folder.rglob("*.*"):
        path.write_bytes(b"not an image")
    with pytest.raises(DataError, match="not one of the 22 images can be used; the first: train/cat/0.png") as error:
        check(folder, out=tmp_path / "check.html", write_clean=tmp_path / "keep.csv")
    assert error.value.hint
    assert sorted(os.listdir(tmp_path)) == ["data"]


def test_sets_in_memory_are_checked_but_cannot_be_listed(tmp_path):
    result = check("digits", near=False)
    assert result.findings["bad_files"] == ()
    assert len(result.catalogue) == 1797
    assert result.to_json()["duplicates"] == []
    with pytest.raises(DataError, match="no files"):
        check("digits", write_clean=tmp_path / "keep.csv")


@pytest.mark.parametrize("moment", ["looking at images", "searching near duplicates"])
def test_an_interruption_leaves_nothing(folder, tmp_path, moment):
    def stop(event):
        if isinstance(event, Advanced) and event.what == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(folder, out=tmp_path / "check.html", write_clean=tmp_path / "keep.csv", listener=stop)
    assert sorted(os.listdir(tmp_path)) == ["data"]


def test_a_model_says_which_labels_are_likely_wrong(digits_run, write_digits, tmp_path):
    root = write_digits(tmp_path / "digits", 300)
    swapped = sorted((root / "class 0").iterdir())[:4]
    for path in swapped:
        path.rename(root / "class 1" / path.name)
    (root / "class 2" / "bad.png").write_bytes(b"bad")
    result = check(root, digits_run, near=False, out=tmp_path / "check.html")
    suggested = {one["path"]: one["suggested"] for one in result.to_json()["label_errors"]}
    found = [path.name for path in swapped if str(root / "class 1" / path.name) in list(suggested)[:12]]
    assert len(found) >= 3
    assert {suggested[str(root / "class 1" / name)] for name in found} == {"class 0"}
    assert [one.doubt for one in result.suspects] == sorted((one.doubt for one in result.suspects), reverse=True)
    assert "Labels that are likely wrong" in (tmp_path / "check.html").read_text(encoding="utf-8")


def test_one_class_has_no_label_errors(digits_run, write_digits, tmp_path):
    root = write_digits(tmp_path / "digits", 30)
    for place in root.iterdir():
        if place.name != "class 3":
            for path in place.iterdir():
                path.unlink()
            place.rmdir()
    with pytest.raises(DataError, match="all images have one"):
        check(root, digits_run)


def test_training_warns_of_what_is_found_without_decoding(folder, quick, tmp_path, monkeypatch):
    (folder / "test/cat/leak.bmp").unlink()
    os.link(folder / "train/cat/3.png", folder / "test/cat/leak.png")
    events = []
    run = vitrail.fit(folder, out=tmp_path / "run", epochs=1, listener=events.append, **quick)
    warnings = [event.text for event in events if isinstance(event, Note) and event.warning]
    (leak,) = [text for text in warnings if text.startswith("one picture in two splits")]
    assert "2 images of 2" in leak
    assert "train/cat/3.png" in leak
    assert leak in (run.path / "log.txt").read_text()
    assert "One picture in two splits" not in leak
    assert "one picture in two splits" in (run.path / "report.html").read_text()


def test_training_on_sound_data_is_not_warned(folder, monkeypatch):
    for name in ("train/cat/bad.png", "test/cat/leak.bmp", "train/dog/conflict.png", "train/dog/again.jpg"):
        (folder / name).unlink()
    told = []
    monkeypatch.setattr(Image, "open", lambda *args, **kwargs: pytest.fail("decoded an image"))
    warn_of_data(open_dataset(folder), told.append)
    assert told == []
