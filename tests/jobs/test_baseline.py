"""The baseline before tuning: what the features are worth, said before and held against the result."""

from __future__ import annotations

import json

import numpy as np
import pytest

import vitrail
from vitrail.cli.main import main
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset
from vitrail.evaluation.metrics import SCORES
from vitrail.evaluation.probes import CHOSEN, Choice
from vitrail.jobs import baseline
from vitrail.jobs.baseline import Baseline
from vitrail.jobs.probe import probe_features


@pytest.fixture(scope="module")
def tuned(digits_run, tmp_path_factory):
    """Give a run that starts from another, and what was told."""
    notes: list[tuple[str, bool]] = []

    def listen(event):
        if hasattr(event, "text"):
            notes.append((event.text, event.warning))

    out = tmp_path_factory.mktemp("tuned") / "run"
    return vitrail.fit("digits", digits_run.path, out=out, epochs=2, listener=listen), notes


def test_it_is_said_before_and_after(tuned):
    run, notes = tuned
    texts = [text for text, _ in notes]
    (place,) = [place for place, text in enumerate(texts) if text.startswith("frozen features, before any tuning: knn")]
    assert "on 144 validation images, learned from 1,294" in texts[place]
    assert "tuning " in texts[place + 1]
    (after,) = [text for text in texts[place + 2 :] if "with frozen features" in text]
    assert f"{100 * run.baseline.tuned:.2f} %" in after
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert "frozen features, before any tuning" in report and "with frozen features" in report
    assert texts[place] in (run.path / "log.txt").read_text(encoding="utf-8")


def test_it_is_what_the_probes_give(tuned, digits_run):
    run, _ = tuned
    found = {name: probe_features(digits_run, "digits", name, "val") for name in CHOSEN}
    assert run.baseline.accuracies == pytest.approx({name: one.top1 for name, one in found.items()}, abs=1e-9)
    assert all(one.computed == 0 for one in found.values()), "fit and evaluate --probe share what was computed"


def test_it_is_in_the_json(tuned):
    run, _ = tuned
    answer = json.loads(json.dumps(run.to_json()))["baseline"]
    assert answer.keys() == {"figure", "accuracies", "best", "n", "tuned", "seconds"}
    assert answer["figure"] == "top1"
    assert answer["accuracies"].keys() == set(CHOSEN)
    assert answer["n"] == 144
    records = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert answer["tuned"] in [record["val_top1"] for record in records]


def test_it_does_not_touch_the_training(tuned, digits_run, tmp_path, monkeypatch):
    run, _ = tuned
    monkeypatch.setattr("vitrail.jobs.fit.measure_baseline", lambda training: None)
    plain = vitrail.fit("digits", digits_run.path, out=tmp_path / "run", epochs=2)
    assert plain.baseline is None
    assert "baseline" not in plain.to_json()
    assert np.array_equal(plain.evaluation.outputs.logits, run.evaluation.outputs.logits)


def test_fresh_weights_have_none(digits_run):
    assert digits_run.baseline is None


def test_a_resumed_run_is_held_against_it_too(tuned, digits_run):
    run, _ = tuned
    again = vitrail.fit("digits", digits_run.path, out=run.path, epochs=2, resume=True)
    assert again.baseline.accuracies == run.baseline.accuracies
    assert again.baseline.tuned == run.baseline.tuned


def test_tuning_that_makes_it_worse_is_a_warning(digits_run, tmp_path):
    notes: list[tuple[str, bool]] = []

    def listen(event):
        if hasattr(event, "text"):
            notes.append((event.text, event.warning))

    settings = {"lr": 1e-9, "ema": 0, "crop_scale": [0.1, 0.2]}
    run = vitrail.fit(
        "digits", digits_run.path, out=tmp_path / "run", epochs=1, settings=settings, seed=3, listener=listen
    )
    assert run.baseline.tuned < max(run.baseline.accuracies.values())
    ((text, warning),) = [one for one in notes if one[0].startswith("tuning did not pay")]
    assert warning
    command = text.split("`")[1].split()
    assert command[:4] == ["vitrail", "evaluate", str(digits_run.path), "digits"]
    assert main(command[1:]) == 0, "the command that is named can be given"


def test_where_rare_classes_count_more_balanced_accuracy_is_compared(digits_run, tmp_path):
    whole = open_dataset("digits", 0)
    val = whole.splits["val"]
    rare = val.take(np.flatnonzero((val.labels > 4) | (np.arange(len(val)) % 5 == 0)))
    data = Dataset("digits", whole.classes, {**whole.splits, "val": rare}, whole.traits)
    notes: list[str] = []
    run = vitrail.fit(
        data, digits_run.path, out=tmp_path / "run", epochs=1, settings={"class_weights": 0.5},
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    answer = run.to_json()["baseline"]
    assert answer["figure"] == "balanced_accuracy"
    (record,) = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert answer["tuned"] == record["val_balanced_accuracy"] != record["val_top1"]
    assert any(f"% balanced accuracy on {len(rare)} validation images" in note for note in notes)
    assert any(f"validation balanced accuracy {100 * answer['tuned']:.2f} %, " in note for note in notes)


def test_large_sets_are_looked_at_in_part_and_many_classes_without_logistic_regression(
    digits_run, tmp_path, monkeypatch
):
    monkeypatch.setattr(baseline, "MOST_IMAGES", 300)
    monkeypatch.setattr(baseline, "MOST_PRODUCTS", 1)
    notes: list[str] = []
    run = vitrail.fit(
        "digits",
        digits_run.path,
        out=tmp_path / "run",
        epochs=1,
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )
    assert any("144 validation images, learned from 300" in text for text in notes)
    assert set(run.baseline.accuracies) == {"knn", "least-squares"}
    train = open_dataset("digits").splits["train"]
    counts = np.bincount(baseline._some(train, 300, 0).labels)
    assert counts.min() >= 28


def baseline_of(accuracies, n, per_class=50, **fields):
    """Make a baseline of probes with these accuracies on as many images of two classes, 9 to 1."""
    found = {}
    for name, accuracy in accuracies.items():
        labels = (np.arange(n) >= 0.9 * n).astype(np.int64)
        predicted = np.where(np.arange(n) < round(accuracy * n), labels, 1 - labels)
        found[name] = Choice(1.0, *SCORES[fields.get("figure", "top1")](predicted, labels), round(n - accuracy * n))
    return Baseline(found, n, per_class, 1.0, "vitrail evaluate it", **fields)


@pytest.mark.parametrize(
    ("accuracies", "n", "per_class", "words"),
    [
        ({"knn": 0.99, "linear": 0.985}, 200, 100, "hardly pay: 2 of 200"),
        ({"knn": 0.8, "linear": 0.9}, 200, 5, "may not pay"),
        ({"knn": 0.8, "linear": 0.9}, 2000, 50, "likely to pay: 200 of 2,000"),
    ],
)
def test_prospects(accuracies, n, per_class, words):
    assert words in baseline_of(accuracies, n, per_class).prospects()


@pytest.mark.parametrize(
    ("after", "words", "warning"),
    [(0.93, "tuning paid", False), (0.905, "than chance", False), (0.899, "did not pay", True)],
)
def test_verdicts(after, words, warning):
    note = baseline_of({"knn": 0.8, "linear": 0.9}, 1000, tuned=after).verdict()
    assert words in note.text and "90.00 % with frozen features (linear)" in note.text
    assert note.warning is warning
    assert ("`vitrail evaluate it --probe linear`" in note.text) is warning


@pytest.mark.parametrize(("after", "words"), [(0.79, "tuning paid"), (0.76, "than chance"), (0.749, "did not pay")])
def test_verdicts_on_balanced_accuracy_know_how_little_a_rare_class_says(after, words):
    """Of 100 rare images half are right: the mean of both classes is known to 2.5 points, though n is 1,000."""
    note = baseline_of({"linear": 0.95}, 1000, figure="balanced_accuracy", tuned=after).verdict()
    assert words in note.text and f"balanced accuracy {100 * after:.2f} %, 75.00 % with frozen" in note.text


def test_at_another_size_it_shares_features_with_evaluate_too(digits_run, write_digits, tmp_path, monkeypatch):
    """There positions are carried to the other grid on the way, here before training begins."""
    monkeypatch.setenv("VITRAIL_CACHE", str(tmp_path / "cache"))
    notes: list[str] = []
    data = write_digits(tmp_path / "data", 60)
    larger = vitrail.load(digits_run, image_size=12)
    assert probe_features(larger, data, "knn", "val").computed > 0
    vitrail.fit(
        data, digits_run.path, out=tmp_path / "run", epochs=1, image_size=12, device="cpu",
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    assert any(" s for 0 features, " in note for note in notes)
