"""The end of a run: every image in predictions.parquet, and a page that says what the run was."""

from __future__ import annotations

import base64
import io
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow
import pytest
import torch
from PIL import Image
from pyarrow import parquet

import vitrail
from vitrail.bench.cost import Cost
from vitrail.core.errors import StorageError
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.loader import BadFile, TrainLoader
from vitrail.data.sources import open_dataset
from vitrail.data.spec import ImageSpec
from vitrail.evaluation.metrics import classification_metrics, confusion_matrix, expected_calibration_error, softmax
from vitrail.jobs.evaluate import Evaluation, evaluate
from vitrail.jobs.inference import Outputs
from vitrail.jobs.prediction_table import prediction_columns
from vitrail.jobs.predictor import load
from vitrail.jobs.report_facts import Story, expense
from vitrail.jobs.report_figures import confidence_bins, reliability
from vitrail.jobs.report_pictures import (
    first_batches,
    plain_pixels,
    surest_mistakes,
    training_batches,
    weighed_labels,
)
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.summary import write_summary
from vitrail.jobs.thumbnail import encode
from vitrail.train.loop import StepDone
from vitrail.weights.calibration import Calibration


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


def pixels_of(picture):
    return np.asarray(Image.open(io.BytesIO(picture.content)))


def columns_of(evaluation, dataset):
    probabilities = softmax(evaluation.outputs.logits)
    return prediction_columns(dataset.splits["test"], dataset.classes, evaluation.outputs, probabilities)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_every_image_is_in_the_table_in_order(dataset, evaluation):
    columns = columns_of(evaluation, dataset)
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
    columns = columns_of(good, dataset)
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
    shown = found[0].picture
    assert shown.size == (8, 8)
    assert shown.kind == "image/png"
    assert np.array_equal(pixels_of(shown), np.asarray(dataset.splits["test"].image(3))[..., 0])
    assert len(list(surest_mistakes(evaluation, dataset, probabilities, limit=2))) == 2


def test_large_pictures_are_made_small_and_missing_ones_passed_over(dataset, evaluation, tmp_path):
    paths = [str(tmp_path / f"{number}.png") for number in range(9)]
    for number in (2, 4):
        Image.new("RGB", (640, 320), (200, 10, 10)).save(paths[number])
    files = replace(dataset, splits={"test": replace(dataset.splits["test"], images=paths)})
    found = list(surest_mistakes(evaluation, files, softmax(evaluation.outputs.logits), limit=2))
    assert [(one.label, one.picture.size) for one in found] == [("4", (160, 80)), ("2", (160, 80))]


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


def test_bins_before_the_temperature_are_there_only_if_there_is_one(evaluation):
    logits = evaluation.outputs.logits
    plain = reliability(evaluation, softmax(logits), Calibration())
    assert plain.before == ()
    cool = reliability(evaluation, softmax(logits / 2), Calibration(2.0))
    assert cool.before == plain.bins
    assert cool.ece_before == pytest.approx(expected_calibration_error(softmax(logits), evaluation.outputs.labels))
    assert cool.ece == pytest.approx(expected_calibration_error(softmax(logits / 2), evaluation.outputs.labels))


@pytest.mark.parametrize("workers", [None, 1], ids=["in memory", "by a worker"])
def test_training_batches_are_the_very_tensors(quick, tmp_path, write_digits, workers, monkeypatch):
    if workers is not None:
        small = partial(TrainLoader, memory_limit=0, workers=workers)
        monkeypatch.setattr("vitrail.jobs.training.TrainLoader", small)
    data = write_digits(tmp_path / "data", 300)
    steps, shown = [], []

    def remember(event):
        if isinstance(event, StepDone):
            steps.append(event.batch)

    original = training_batches

    def spy(batches, spec, classes):
        shown.append((tuple(batches), spec))
        return original(*shown[-1], classes)

    monkeypatch.setattr("vitrail.jobs.summary.training_batches", spy)
    settings = {**quick["settings"], "mixup": 0.8, "crop_scale": [0.5, 1.0], "batch_size": 32}
    run = vitrail.fit(data, quick["model"], out=tmp_path / "run", epochs=1, settings=settings, listener=remember)
    batches, spec = shown[0]
    assert len(batches) == 3
    for again, before in zip(batches, steps, strict=False):
        assert torch.equal(again.images, before.images)
        assert torch.equal(again.targets, before.targets)
    found = list(training_batches(batches, spec, run.evaluation.classes))
    assert [(one.step, one.n, len(one.pictures)) for one in found] == [
        (number + 1, len(steps[number].images), 12) for number in range(3)
    ]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    for one in found[2].pictures:
        assert base64.b64encode(one.picture.content).decode() in page
    levels = steps[1].images[5, 0].double().numpy() * spec.std[0] + spec.mean[0]
    assert np.abs(pixels_of(found[1].pictures[5].picture) / 255 - levels).max() < 0.51 / 255


def test_a_short_training_has_fewer_batches(digits_run):
    class Loader:
        workers = 2

        def epoch(self, epoch, device):
            assert self.workers == 0
            yield "only"

    loader = Loader()
    assert first_batches(loader) == ("only",)
    assert loader.workers == 2


def test_normalisation_is_undone_exactly():
    spec = ImageSpec((4, 4), (0.1, 0.5, 0.9), (0.2, 0.3, 0.4))
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    assert np.array_equal(plain_pixels(torch.from_numpy(spec.normalise(pixels)), spec), pixels)


def test_labels_of_mixed_images_are_named_with_their_weight():
    classes = ("a", "b", "c")

    def weigh(*target):
        return [(name, round(weight, 3)) for name, weight in weighed_labels(np.array(target, np.float32), classes)]

    assert weigh(0, 1, 0) == [("b", 1)]
    assert weigh(0.7, 0, 0.3) == [("a", 0.7), ("c", 0.3)]
    assert weigh(0.0333, 0.0333, 0.9333) == [("c", 0.933)], "what smoothing spreads is no class"
    assert weigh(0.0333, 0.3, 0.6667) == [("c", 0.667), ("b", 0.3)]


@pytest.mark.parametrize(("size", "shown", "kind"), [((64, 20), (64, 20), "png"), ((300, 30), (112, 11), "jpeg")])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_small(size, shown, kind, mode):
    image = Image.new(mode, size, 200 if mode == "L" else (200, 10, 10))
    picture = encode(image, 112)
    assert (picture.size, picture.kind) == (shown, f"image/{kind}")
    assert Image.open(io.BytesIO(picture.content)).size == shown
    assert np.abs(pixels_of(picture).astype(int) - np.asarray(image)[0, 0]).max() <= 2
    assert image.size == size


def test_the_cost_of_a_run_is_added_up():
    records = [
        {"step": 4, "images": 100, "reading_seconds": 1.0, "preparing_seconds": 2.0, "learning_seconds": 6.0,
         "validation_seconds": 0.5, "peak_memory_mb": 3e6},
        {"step": 8, "images": 100, "reading_seconds": 0.0, "preparing_seconds": 2.0, "learning_seconds": 6.0,
         "validation_seconds": 0.5, "peak_memory_mb": 10},
    ]  # fmt: skip
    cost = Cost(parameters=1234, macs=2_000_000_000, tokens=5)
    found = expense(records, cost, Story(20.0, device="cpu, 1 thread"), testing=1.0, batch_size=25)
    assert list(found.parts.values()) == [1, 4, 12, 1, 1, 1]
    assert found.seconds == 20
    plain = {name: value.replace("\u00a0", " ") for name, value in found.figures.items()}
    assert plain["Computed in training"] == "2.40 TFLOP", "6 · 2 G · 200"
    assert plain["Speed of training"] == "12 images/s"
    assert plain["MACs an image"] == "2.00 G"
    assert plain["Peak memory"] == "3.00 TB"
    assert plain["Device"] == "cpu, 1 thread"
    assert plain["Steps"] == "8, about 25 images each"
    old = expense([{"step": 4}], cost, Story(20.0), testing=1.0, batch_size=25)
    assert old.seconds == 20, "lines of an older version say nothing of time"
    assert "Speed of training" not in old.figures


def test_the_page_of_a_run_is_complete(digits_run):
    page = (digits_run.path / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    record = load(digits_run).record
    for text in (
        f"{100 * digits_run.top1:.2f} %", "of 359 test images", "Top-5", "Macro F1", "of 3 were kept", "learned_1d",
        str(record.data["fingerprint"]), vitrail.__version__, "set aside as test", "recipe.optimizer.lr",
    ):  # fmt: skip
        assert text in page, text
    metrics = digits_run.evaluation.metrics
    for name in ("macro_f1", "mean_average_precision"):
        low, high = metrics[f"{name}_interval"]
        assert f"{100 * metrics[name]:.2f} %" in page and f"{100 * low:.1f} % … {100 * high:.1f} %" in page
    assert "<dt>Images</dt><dd>359</dd>" in page and "validation is on the 144 plain images" in page
    row = digits_run.evaluation.to_json()["per_class"][3]
    low, high = row["recall_interval"]
    assert f">{100 * low:.1f} % … {100 * high:.1f} %</td>" in page
    ece = f"{100 * metrics['ece']:.2f} %"
    assert page.count(ece) >= 2, "the diagram and the row of figures agree"
    confusion = digits_run.evaluation.confusion
    assert page.count("data:image/png") == page.count('<p class="path"') + 3 * 12 + 2, "wrong ones, batches, looks"
    suspects = digits_run.evaluation.suspects.joined(evaluate(digits_run, "digits", "val").suspects).labels
    assert page.count(">labelled <b") == min(24, len(suspects)) > 0
    above = sum(one.split == "test" for one in suspects[:24])
    assert page.count("<p>is <b") == min(24, int(confusion.sum() - confusion.trace()) - above)
    assert "could not be used" not in page


def test_notes_of_the_data_stand_in_for_missing_ones(digits_run, folder):
    digits = open_dataset("digits")
    arguments = (folder, digits_run.evaluation, digits_run.plan, digits, load(digits_run), Story(61.0))
    write_summary(*arguments)
    assert digits.notes[0] in folder.report.read_text(encoding="utf-8")
    assert "1 min 1 s" in folder.report.read_text(encoding="utf-8")
    first = folder.report.read_bytes()
    write_summary(*arguments)
    assert folder.report.read_bytes() == first
    write_summary(*arguments[:-1], Story(61.0, ["told", "told"]))
    assert folder.report.read_text(encoding="utf-8").count("<li>told</li>") == 1


def test_bad_files_of_all_splits_and_hard_names_are_shown(digits_run, dataset, evaluation, folder):
    folder.write_bad_files([("train", BadFile(0, "rose/a.jpg", "/photos/rose/a.jpg: truncated"))])
    write_summary(folder, evaluation, digits_run.plan, dataset, load(digits_run), Story(1.0))
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
    write_summary(folder, replace(evaluation, metrics=metrics), digits_run.plan, dataset, load(digits_run), Story(1.0))
    assert "Top-5" not in folder.report.read_text(encoding="utf-8")


def test_a_disk_that_refuses_is_said(digits_run, evaluation, dataset, folder):
    folder.report.mkdir()
    with pytest.raises(StorageError, match=r"report\.html"):
        write_summary(folder, evaluation, digits_run.plan, dataset, load(digits_run), Story(1.0))


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, vitrail.jobs.fit; print({'matplotlib', 'jinja2', 'pyarrow', 'vitrail.report'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
