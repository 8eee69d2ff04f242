"""Evaluation: the right images, matched by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pytest
from pyarrow import parquet
from sklearn import metrics as sk

import vitrail
from vitrail.evaluation.metrics import softmax


def test_evaluate_uses_the_images_that_training_set_aside(digits_run):
    evaluation = vitrail.evaluate(digits_run, "digits")
    assert evaluation.metrics["n"] == 359
    assert evaluation.top1 == digits_run.top1


def test_the_split_of_another_seed_is_remembered(quick, tmp_path):
    run = vitrail.fit("digits", out=tmp_path / "run", epochs=1, seed=7, **quick)
    assert vitrail.evaluate(run.path, "digits").outputs.labels.tolist() == run.evaluation.outputs.labels.tolist()
    assert vitrail.evaluate(run.path, "digits").top1 == run.top1


def test_other_images_are_all_used_and_matched_by_name(digits_run, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 80)
    for folder in list(data.iterdir()):
        folder.rename(data / folder.name.removeprefix("class "))
    evaluation = vitrail.evaluate(digits_run, data)
    assert evaluation.metrics["n"] == 80
    for image in (data / "3").iterdir():
        image.rename(data / "4" / f"was 3 {image.name}")
    (data / "3").rmdir()
    moved = vitrail.evaluate(digits_run, data)
    assert moved.metrics["n"] == 80
    assert moved.top1 != evaluation.top1


def test_changed_data_are_warned_of(quick, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 200)
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, **quick)
    warnings: list[str] = []

    def listen(event):
        if getattr(event, "warning", False):
            warnings.append(event.text)

    vitrail.evaluate(run, data, listener=listen)
    assert not warnings
    next((data / "class 1").iterdir()).unlink()
    vitrail.evaluate(run, data, listener=listen)
    assert "changed since training" in warnings[0]


def test_a_split_that_is_not_there(digits_run, quick, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 200, ("train", "val"))
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, **quick)
    assert run.evaluation.split == "val"
    with pytest.raises(vitrail.DataError, match="no split 'test'"):
        vitrail.evaluate(run, data)


def test_every_figure_is_scikit_learns_where_classes_are_missing(digits_run, tmp_path, write_digits):
    """Of ten classes three have no image in these data; the figures are those of the others."""
    data = write_digits(tmp_path / "data", 150)
    for folder in list(data.iterdir()):
        name = folder.name.removeprefix("class ")
        if name in "258":
            for image in folder.iterdir():
                image.unlink()
            folder.rmdir()
        else:
            folder.rename(data / name)
    evaluation = vitrail.evaluate(digits_run, data)
    found, labels = evaluation.to_json(), evaluation.outputs.labels
    assert set(labels.tolist()) == {0, 1, 3, 4, 6, 7, 9}
    logits = evaluation.outputs.logits / np.float32(vitrail.load(digits_run).record.temperature)
    predicted, probabilities, every = logits.argmax(axis=1), softmax(logits), list(range(10))
    assert found["top1"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found["top5"] == pytest.approx(sk.top_k_accuracy_score(labels, logits, k=5, labels=every))
    assert found["nll"] == pytest.approx(sk.log_loss(labels, probabilities, labels=every))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro", zero_division=0.0))
    occurs = np.unique(labels)
    recalls = sk.recall_score(labels, predicted, labels=occurs, average=None)
    assert found["balanced_accuracy"] == pytest.approx(recalls.mean())
    precision, recall, f1, n = sk.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0.0)
    rows = [(row["precision"], row["recall"], row["f1"], row["n"]) for row in found["per_class"]]
    assert np.allclose(rows, np.transpose([precision, recall, f1, n]))
    for row in found["per_class"]:
        if row["n"]:
            low, high = row["recall_interval"]
            assert 0 <= low <= row["recall"] <= high <= 1
        else:
            assert row["recall_interval"] is None
    worst = found["confusions"][0]
    counts = sk.confusion_matrix(labels, predicted, labels=every)
    assert worst["count"] == (counts - np.diag(counts.diagonal())).max()
    assert worst["count"] == counts[int(worst["label"]), int(worst["predicted"])]
    assert found["temperature"] == vitrail.load(digits_run).record.temperature != 1
    confidence, right = probabilities.max(axis=1), predicted == labels
    place = np.minimum((15 * confidence).astype(int), 14)
    gaps = [abs(confidence[place == one].sum() - right[place == one].sum()) for one in range(15)]
    assert found["ece"] == pytest.approx(sum(gaps) / len(labels))


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_answers_are_written_as_those_of_the_run_are(digits_run, tmp_path, suffix):
    out = tmp_path / "new" / f"answers{suffix}"
    vitrail.evaluate(digits_run, "digits", out=out)
    whole = parquet.read_table(digits_run.path / "predictions.parquet")
    found = parquet.read_table(out) if suffix == ".parquet" else pyarrow.csv.read_csv(out)
    assert found.column_names == whole.column_names
    assert len(found) == 359
    for name in ("path", "correct"):
        assert found[name].to_pylist() == whole[name].to_pylist()
    assert [str(one) for one in found["predicted"].to_pylist()] == whole["predicted"].to_pylist()
    assert np.allclose(found["probability"], whole["probability"], atol=1e-12)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_bad_images_have_their_row(digits_run, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 40)
    for folder in list(data.iterdir()):
        folder.rename(data / folder.name.removeprefix("class "))
    bad = min((data / "3").iterdir())
    bad.write_bytes(b"no image")
    vitrail.evaluate(digits_run, data, out=tmp_path / "answers.csv")
    rows = pyarrow.csv.read_csv(tmp_path / "answers.csv").to_pylist()
    assert len(rows) == 40
    failed = [row for row in rows if row["error"]]
    assert [(Path(row["path"]).name, row["label"], row["predicted"]) for row in failed] == [(bad.name, 3, None)]


@pytest.mark.parametrize("which", ["an image", "the model"])
def test_no_input_is_overwritten(digits_run, tmp_path, write_digits, which):
    data = write_digits(tmp_path / "data", 40)
    for folder in list(data.iterdir()):
        folder.rename(data / folder.name.removeprefix("class "))
    victim = min((data / "3").iterdir()) if which == "an image" else digits_run.path / "model.safetensors"
    before, link = victim.read_bytes(), tmp_path / "link.csv"
    link.hardlink_to(victim)
    with pytest.raises(vitrail.DataError, match="one of the inputs"):
        vitrail.evaluate(digits_run, data, out=link)
    assert victim.read_bytes() == before


def test_one_image_of_ones_own_is_enough(digits_run, tmp_path, write_digits):
    """However the model's own data were split."""
    image = next(write_digits(tmp_path / "data", 1).rglob("*.png"))
    (tmp_path / "one.csv").write_text(f"path,label\n{image},{image.parent.name.removeprefix('class ')}\n")
    evaluation = vitrail.evaluate(digits_run, tmp_path / "one.csv")
    assert evaluation.metrics["n"] == 1
    (tmp_path / "none.csv").write_text("path,label\n")
    with pytest.raises(vitrail.DataError, match=r"none\.csv"):
        vitrail.evaluate(digits_run, tmp_path / "none.csv")
