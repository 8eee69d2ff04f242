"""Predictions: order, errors in their place, files, formats."""

from __future__ import annotations

import csv
import io
import json
import os
import sys

import numpy as np
import pytest
from PIL import Image
from pyarrow import parquet

import vitrail
from vitrail.jobs.predict import expand_paths, predict_paths


@pytest.fixture
def images(tmp_path, write_digits):
    """Write five images, the third of them broken."""
    folder = write_digits(tmp_path / "in", 5)
    files = sorted(folder.rglob("*.png"))
    for number, file in enumerate(files):
        file.rename(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"broken")
    return [str(tmp_path / f"{number}.png") for number in range(5)]


def test_answers_come_in_order_with_errors_in_their_place(digits_run, images):
    answers = vitrail.load(digits_run).predict(images, top=3)
    assert [answer.path for answer in answers] == images
    assert [answer.error is None for answer in answers] == [True, True, False, True, True]
    assert answers[2].label is None
    assert "2.png" in answers[2].error
    for answer in answers[:2]:
        assert len(answer.top) == 3
        assert answer.top[0] == (answer.label, answer.probability)
        assert answer.probability == max(probability for _, probability in answer.top)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_every_format_holds_the_same(digits_run, images, tmp_path, suffix):
    out = tmp_path / f"answers{suffix}"
    answers = list(predict_paths(digits_run.path, images, str(out), top=2))
    if suffix == ".csv":
        with out.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["label"] or None for row in rows] == [answer.label for answer in answers]
        assert rows[2]["error"] == answers[2].error
        return
    if suffix == ".parquet":
        rows = parquet.read_table(out).to_pylist()
    elif suffix == ".json":
        rows = json.loads(out.read_text())["predictions"]
    else:
        rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows == [answer.to_json() for answer in answers]


def test_many_more_images_than_a_batch(digits_run, tmp_path, write_digits):
    folder = write_digits(tmp_path / "in", 150)
    files = expand_paths([str(folder)])
    predictor = vitrail.load(digits_run)
    together = predictor.predict(files)
    alone = [predictor.predict(file)[0] for file in files]
    assert [answer.label for answer in together] == [answer.label for answer in alone]
    assert [answer.path for answer in together] == files


def test_every_kind_of_image_is_taken(digits_run, images):
    predictor = vitrail.load(digits_run)
    image = Image.open(images[0])
    array = np.asarray(image)
    with open(images[0], "rb") as file:
        content = file.read()
    rows = [predictor.logits(kind) for kind in (images[0], content, image, array, array[..., None], [array])]
    for row in rows:
        assert row.shape == (1, 10)
        assert row.dtype == np.float32
        np.testing.assert_array_equal(row, rows[0])
    with pytest.raises(vitrail.ImageError, match=r"2\.png"):
        predictor.logits(images)


def test_paths_folders_and_patterns(images, tmp_path):
    assert expand_paths([images[1], images[0]]) == [images[1], images[0]]
    assert expand_paths([str(tmp_path / "[0-3].png")]) == images[:4]
    assert expand_paths([str(tmp_path)]) == images
    (tmp_path / "list.csv").write_text("label,path\nx,3.png\ny,2.png\nz,gone.png\n")
    expected = [images[3], images[2], str(tmp_path / "gone.png"), images[0]]
    assert expand_paths([str(tmp_path / "list.csv"), images[0]]) == expected
    (tmp_path / "a[1].png").write_bytes(b"")
    assert expand_paths([str(tmp_path / "a[1].png")]) == [str(tmp_path / "a[1].png")]
    for missing in ("nothing.png", "*.nothing"):
        with pytest.raises(vitrail.DataError, match="no"):
            expand_paths([str(tmp_path / missing)])


@pytest.mark.parametrize("link", [os.link, os.symlink, os.replace])
@pytest.mark.parametrize("given", ["{folder}", "{folder}/*", "{folder}/**/*.png", "{image}", "{folder}/list.txt"])
def test_an_input_is_never_overwritten_whatever_it_is_called(digits_run, images, tmp_path, link, given):
    folder, image, out = tmp_path / "deep" / "er", tmp_path / "deep" / "er" / "0.png", tmp_path / "out.csv"
    folder.mkdir(parents=True)
    os.replace(images[0], out)
    if link is os.link or link is os.symlink:
        link(out, image)
    else:
        out.replace(image)
        out = tmp_path / "deep" / "out.csv"
        out.symlink_to(image)
    (folder / "list.txt").write_text("0.png\n")
    before = image.read_bytes()
    with pytest.raises(vitrail.DataError, match="one of the inputs"):
        predict_paths(digits_run.path, [given.format(folder=folder, image=image)], str(out))
    assert image.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["0.png", "list.txt"]


def test_a_list_is_never_overwritten(digits_run, images, tmp_path):
    names = tmp_path / "list.csv"
    names.write_text("path\n0.png\n")
    with pytest.raises(vitrail.DataError, match="one of the inputs"):
        predict_paths(digits_run.path, [str(names)], str(names))
    assert names.read_text() == "path\n0.png\n"


def test_paths_on_standard_input(digits_run, images, tmp_path, monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"\n".join([b"", os.fsencode(images[1]), b"gone.png", os.fsencode(images[0])]))

    monkeypatch.setattr(sys, "stdin", Stdin)
    answers = list(predict_paths(digits_run.path, [images[4], "-", images[3]]))
    assert [answer.path for answer in answers] == [images[4], images[1], "gone.png", images[0], images[3]]
    assert answers[2].error == "gone.png: no such file"
    with pytest.raises(vitrail.DataError, match="names no path"):
        predict_paths(digits_run.path, ["-"])
    with pytest.raises(vitrail.DataError, match="named twice"):
        predict_paths(digits_run.path, ["-", "-"])
    Stdin.buffer = io.BytesIO(os.fsencode(images[0]))
    (tmp_path / "out.csv").symlink_to(images[0])
    stream = predict_paths(digits_run.path, ["-"], str(tmp_path / "out.csv"))
    with pytest.raises(vitrail.DataError, match="one of the inputs"):
        list(stream)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_strict_stops_at_the_first_bad_image(digits_run, images, tmp_path, suffix):
    stream = predict_paths(digits_run.path, images, str(tmp_path / f"out{suffix}"), strict=True)
    assert [next(stream).path, next(stream).path] == images[:2]
    with pytest.raises(vitrail.ImageError, match=r"2\.png: not an image"):
        next(stream)
    assert not list(tmp_path.glob("*out*"))
    whole = [name for name in images if not name.endswith("2.png")]
    assert len(list(predict_paths(digits_run.path, whole, str(tmp_path / f"out{suffix}"), strict=True))) == 4
    assert (tmp_path / f"out{suffix}").is_file()


def test_paths_are_asked_for_as_they_are_needed(digits_run, images):
    asked = []

    def names():
        for number in range(100_000):
            asked.append(number)
            yield images[0]

    predictor = vitrail.load(digits_run)
    stream = predictor.stream(names())
    for _ in range(65):
        next(stream)
    assert len(asked) <= 65 + 4 * 64
    stream.close()


def test_top_is_checked_before_anything_else(tmp_path):
    with pytest.raises(vitrail.ConfigError, match="top = 0"):
        predict_paths("nowhere", ["nothing"], top=0)


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_a_full_disk_leaves_the_old_file(digits_run, images, tmp_path, suffix, monkeypatch):
    out = tmp_path / f"out{suffix}"
    out.write_text("old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(vitrail.StorageError, match="No space left"):
        list(predict_paths(digits_run.path, images, str(out)))
    assert out.read_text() == "old"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_a_failed_prediction_leaves_no_half_file(digits_run, images, tmp_path, suffix):
    stream = predict_paths(digits_run.path, images, str(tmp_path / f"out{suffix}"))
    assert not list(tmp_path.glob("*out*")), "nothing is written before the first answer is asked for"
    next(stream)
    stream.close()
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_names_that_are_no_text_are_written_with_backslashes(digits_run, tmp_path, suffix):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    with open(name, "wb") as file:
        file.write(b"broken")
    answers = list(predict_paths(digits_run.path, [os.fsdecode(name)], str(tmp_path / f"out{suffix}")))
    assert "not an image" in answers[0].error
    content = (tmp_path / f"out{suffix}").read_bytes()
    assert rb"\udcff.png" in content
