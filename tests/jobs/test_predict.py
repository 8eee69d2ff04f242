"""Predictions: order, errors in their place, files, formats."""

from __future__ import annotations

import csv
import json
import os

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
    (tmp_path / "a[1].png").write_bytes(b"")
    assert expand_paths([str(tmp_path / "a[1].png")]) == [str(tmp_path / "a[1].png")]
    for missing in ("nothing.png", "*.nothing"):
        with pytest.raises(vitrail.DataError, match="no"):
            expand_paths([str(tmp_path / missing)])


def test_an_input_is_never_overwritten(digits_run, images, tmp_path):
    odd = tmp_path / "image.csv"
    odd.write_bytes((tmp_path / "0.png").read_bytes())
    before = odd.read_bytes()
    with pytest.raises(vitrail.DataError, match="one of the inputs"):
        predict_paths(digits_run.path, [str(odd)], str(odd))
    assert odd.read_bytes() == before


def test_a_failed_prediction_leaves_no_half_file(digits_run, images, tmp_path):
    stream = predict_paths(digits_run.path, images, str(tmp_path / "out.csv"))
    next(stream)
    stream.close()
    assert not list(tmp_path.glob("*out.csv*"))


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl", ".parquet"])
def test_names_that_are_no_text_are_written_with_backslashes(digits_run, tmp_path, suffix):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    with open(name, "wb") as file:
        file.write(b"broken")
    answers = list(predict_paths(digits_run.path, [os.fsdecode(name)], str(tmp_path / f"out{suffix}")))
    assert "not an image" in answers[0].error
    content = (tmp_path / f"out{suffix}").read_bytes()
    assert rb"\udcff.png" in content
