"""The end of a run: every image in predictions.parquet, and a page that says what the run was."""

from __future__ import annotations

import io
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import vitrail
from vitrail.core.errors import StorageError
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.loader import BadFile
from vitrail.data.sources import open_dataset
from vitrail.evaluation.metrics import classification_metrics, confusion_matrix, expected_calibration_error, softmax
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.inference import Outputs
from vitrail.jobs.predictor import load
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.summary import confidence_bins, prediction_columns, surest_mistakes, write_summary


@pytest.fixture
def dataset():
    """Give a split of nine images: digits of the classes "0" … "9", some under names that are hard to write."""
    digits = open_dataset("digits").splits["train"]
    names = ["a.png", "b/<b>.png", "日本.png", "x\udcff.png", *(f"{number}.png" for number in range(5))]
    samples = Samples(digits.images[:9], np.arange(9, dtype=np.int64), names)
    return Dataset("digits", tuple(str(digit) for digit in range(10)), {"test": samples})


@pytest.fixture
def evaluation(dataset, tmp_path):
    """Give what a model made of seven of them, three wrongly, the second most surely; two could not be used."""
    indices = np.array([0, 2, 3, 4, 5, 7, 8])
    labels = dataset.splits["test"].labels[indices]
    predicted = np.array([0, 9, 9, 9, 5, 7, 8])
    logits = np.zeros((7, 10), dtype=np.float32)
    logits[np.arange(7), predicted] = [4, 2, 5, 3, 4, 4, 4]
    bad = ((1, "b/<b>.png: not an image of a known format"), (6, "/root/2.png: no such file"))
    return Evaluation(
        dict(classification_metrics(logits, labels)), "test", dataset.classes, tuple(dataset.splits["test"].names),
        Outputs(logits, labels, indices, bad), confusion_matrix(predicted, labels, 10), tmp_path / "model", 0.1,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_every_image_is_in_the_table_in_order(dataset, evaluation):
    columns = prediction_columns(evaluation, dataset, softmax(evaluation.outputs.logits))
    assert list(columns) == ["path", "label", "predicted", "probability", "correct", "error"]
    rows = pyarrow.table(columns).to_pylist()
    assert [row["label"] for row in rows] == list("012345678")
    assert [row["predicted"] for row in rows] == ["0", None, "9", "9", "9", "5", None, "7", "8"]
    assert [row["correct"] for row in rows] == [True, None, False, False, False, True, None, True, True]
    assert [row["path"] for row in rows[:4]] == ["a.png", "b/<b>.png", "日本.png", "x\\udcff.png"]
    assert [row["error"] is None for row in rows] == [number not in (1, 6) for number in range(9)]
    assert rows[6]["error"] == "/root/2.png: no such file"
    assert rows[0]["probability"] == pytest.approx(np.exp(4) / (np.exp(4) + 9))
    assert rows[1]["probability"] is None


def test_columns_have_their_types_even_without_errors(dataset, evaluation):
    good = replace(evaluation, outputs=replace(evaluation.outputs, bad=()))
    columns = prediction_columns(good, dataset, softmax(good.outputs.logits))
    assert [str(column.type) for column in columns.values()] == [
        "string",
        "string",
        "string",
        "double",
        "bool",
        "string",
    ]


def test_the_surest_mistakes_come_first(dataset, evaluation):
    probabilities = softmax(evaluation.outputs.logits)
    found = list(surest_mistakes(evaluation, dataset, probabilities))
    assert [(one.name, one.label, one.predicted) for one in found] == [
        ("x\udcff.png", "3", "9"), ("0.png", "4", "9"), ("日本.png", "2", "9")
    ]  # fmt: skip
    assert [one.probability for one in found] == sorted((one.probability for one in found), reverse=True)
    assert found[0].size == (8, 8)
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(found[0].png))), np.asarray(dataset.splits["test"].image(3))[..., 0]
    )
    assert len(list(surest_mistakes(evaluation, dataset, probabilities, limit=2))) == 2


def test_large_pictures_are_made_small_and_missing_ones_passed_over(dataset, evaluation, tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(9)]
    for number in (2, 4):
        Image.new("RGB", (640, 320), (200, 10, 10)).save(paths[number])
    files = replace(dataset, splits={"test": replace(dataset.splits["test"], images=paths)})
    found = list(surest_mistakes(evaluation, files, softmax(evaluation.outputs.logits), limit=2))
    assert [(one.label, one.size) for one in found] == [("4", (160, 80)), ("2", (160, 80))]


def test_bins_agree_with_the_calibration_error():
    generator = np.random.default_rng(0)
    probabilities = softmax(generator.normal(0, 2, (500, 4)).astype(np.float32))
    labels = generator.integers(0, 4, 500)
    right = probabilities.argmax(axis=1) == labels
    bins = confidence_bins(probabilities.max(axis=1), right)
    ece = sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / 500
    assert ece == pytest.approx(expected_calibration_error(probabilities, labels))
    assert sum(one.n for one in bins) == 500
    assert all(one.low <= one.confidence <= one.high for one in bins)
    assert all(one.interval[0] <= one.accuracy <= one.interval[1] for one in bins)
    assert confidence_bins(np.ones(3), np.ones(3, dtype=bool))[0].high == 1.0


def test_the_page_of_a_run_is_complete(digits_run):
    page = (digits_run.path / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    record = load(digits_run).record
    for text in (
        f"{100 * digits_run.top1:.2f} %", "of 359 test images", "Top-5", "Macro F1", "of 3 were kept", "learned_1d",
        str(record.data["fingerprint"]), vitrail.__version__, "set aside as test", "recipe.optimizer.lr",
    ):  # fmt: skip
        assert text in page, text
    ece = f"{100 * digits_run.evaluation.metrics['ece']:.2f} %"
    assert page.count(ece) >= 2, "the diagram and the row of figures agree"
    wrong = int(digits_run.evaluation.confusion.sum() - digits_run.evaluation.confusion.trace())
    assert page.count("data:image/png") == min(24, wrong)
    assert "could not be used" not in page


def test_notes_of_the_data_stand_in_for_missing_ones(digits_run, folder):
    digits = open_dataset("digits")
    arguments = (folder, digits_run.evaluation, digits_run.plan, digits, load(digits_run), 61.0)
    write_summary(*arguments)
    assert digits.notes[0] in folder.report.read_text(encoding="utf-8")
    assert "1 min 1 s" in folder.report.read_text(encoding="utf-8")
    first = folder.report.read_bytes()
    write_summary(*arguments)
    assert folder.report.read_bytes() == first
    write_summary(*arguments, ["told", "told"])
    assert folder.report.read_text(encoding="utf-8").count("<li>told</li>") == 1


def test_bad_files_of_all_splits_and_hard_names_are_shown(digits_run, dataset, evaluation, folder):
    folder.write_bad_files([("train", BadFile(0, "rose/a.jpg", "/photos/rose/a.jpg: truncated"))])
    write_summary(folder, evaluation, digits_run.plan, dataset, load(digits_run), 1.0)
    page = folder.report.read_text(encoding="utf-8")
    assert "2 more images of this split could not be used" in page
    assert "3 images were left out" in page
    assert "rose/a.jpg" in page
    assert ">truncated<" in page, "the path is not said twice"
    assert "b/&lt;b&gt;.png" in page
    assert "<b>.png" not in page
    assert "x\\udcff.png" in page
    assert parquet.read_table(folder.predictions).num_rows == 9


def test_top5_needs_six_classes(digits_run, evaluation, dataset, folder):
    metrics = {name: value for name, value in evaluation.metrics.items() if name != "top5"}
    write_summary(folder, replace(evaluation, metrics=metrics), digits_run.plan, dataset, load(digits_run), 1.0)
    assert "Top-5" not in folder.report.read_text(encoding="utf-8")


def test_a_disk_that_refuses_is_said(digits_run, evaluation, dataset, folder):
    folder.report.mkdir()
    with pytest.raises(StorageError, match=r"report\.html"):
        write_summary(folder, evaluation, digits_run.plan, dataset, load(digits_run), 1.0)


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, vitrail.jobs.fit; print({'matplotlib', 'jinja2', 'pyarrow', 'vitrail.report'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
