"""Labels of measured images that sure answers contradict."""

from __future__ import annotations

import base64
import re
from dataclasses import replace

import numpy as np
import pytest

import vitrail
from vitrail.data.sources import open_dataset
from vitrail.evaluation.label_errors import doubt_answers
from vitrail.jobs.evaluate import evaluate_split
from vitrail.jobs.inference import Outputs
from vitrail.jobs.predictor import load
from vitrail.jobs.report_pictures import suspect_pictures
from vitrail.jobs.suspects import MOST_LISTED, suspect_labels

PLANTED = {"test": 17, "val": 7}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Give a run on digits of which some test and validation labels are wrong, its data, and the true labels."""
    dataset = open_dataset("digits")
    random, splits, truth = np.random.default_rng(0), dict(dataset.splits), {}
    for split, count in PLANTED.items():
        samples = splits[split]
        rows = random.permutation(len(samples))[:count]
        labels = samples.labels.copy()
        labels[rows] = (labels[rows] + random.integers(1, 10, count)) % 10
        splits[split] = replace(samples, labels=labels)
        truth |= {samples.names[row]: dataset.classes[samples.labels[row]] for row in rows}
    dataset = replace(dataset, splits=splits)
    settings = {"depth": 1, "batch_size": 32}
    out = tmp_path_factory.mktemp("runs") / "planted"
    return vitrail.fit(dataset, "vit_nano_conv_patch2_8", out=out, epochs=6, settings=settings), dataset, truth


def test_swapped_labels_are_found_in_the_report(planted):
    run, dataset, truth = planted
    page = (run.path / "report.html").read_text(encoding="utf-8")
    start, end = page.index("Images most likely mislabelled"), page.index("The surest mistakes")
    names = re.findall(r'<p class="path" title="([^"]+)">', page[start:end])
    found = run.evaluation.suspects.joined(evaluate_split(load(run), dataset, "val").suspects)
    assert names == [one.path for one in found.labels[:24]]
    assert len(truth.keys() & set(names)) >= 18, "of the 24 that were planted"
    for _, suspect in suspect_pictures(found.labels, dataset):
        assert base64.b64encode(suspect.picture.content).decode() in page[start:end]
    others = re.findall(r'<p class="path" title="([^"]+)">', page[end:])
    assert others and not set(others) & set(names), "no image is shown twice"
    assert "of 359 test and 144 validation images" in page
    assert "as right, or as wrong" in page, "the model was calibrated on labels as bad"


def test_suspects_are_what_the_answers_contradict(planted):
    run, _, truth = planted
    evaluation = run.evaluation
    found, outputs = evaluation.suspects, evaluation.outputs
    assert found.n == 359 and not found.many
    assert [one.doubt for one in found.labels] == sorted((one.doubt for one in found.labels), reverse=True)
    rows = {int(number): row for row, number in enumerate(outputs.indices)}
    for one in found.labels:
        row = rows[one.number]
        assert one.path == evaluation.names[one.number]
        assert one.label == evaluation.classes[outputs.labels[row]]
        assert one.suggested == evaluation.classes[outputs.logits[row].argmax()] != one.label
        assert one.probability > one.label_probability
    right = [one.suggested == truth[one.path] for one in found.labels if one.path in truth]
    assert np.mean(right) > 0.8


def test_json_counts_all_and_lists_the_first():
    random = np.random.default_rng(0)
    logits = 6 * np.eye(10, dtype=np.float32)[random.integers(0, 10, 400)]
    labels = random.integers(0, 10, 400)
    probabilities = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    outputs = Outputs(logits, labels, np.arange(400), ())
    found = suspect_labels(outputs, probabilities, "test", tuple("abcdefghij"), tuple(map(str, range(400))))
    printed = found.to_json()
    assert printed["found"] == (logits.argmax(1) != labels).sum() > MOST_LISTED == len(printed["images"])
    assert printed["n"] == 400 and found.many
    assert set(printed["images"][0]) == {"path", "label", "suggested", "probability", "label_probability"}


def test_evaluation_has_them_but_not_of_training_images(planted):
    run, dataset, _ = planted
    predictor = load(run)
    printed = evaluate_split(predictor, dataset, "val").to_json()["suspects"]
    assert printed["n"] == 144 and printed["found"] == len(printed["images"]) > 0
    few = replace(dataset.splits["train"], images=dataset.splits["train"].images[:40])
    few = replace(few, labels=few.labels[:40], names=few.names[:40])
    trained = evaluate_split(predictor, replace(dataset, splits={"train": few}), "train")
    assert trained.suspects is None and "suspects" not in trained.to_json()


def test_as_many_are_expected_as_there_are_where_probabilities_are_right():
    random = np.random.default_rng(0)
    probabilities = random.dirichlet(np.full(5, 0.4), 6000)
    labels = (random.random((6000, 1)) > probabilities.cumsum(axis=1)).sum(axis=1)
    found = doubt_answers(probabilities, labels)
    assert found.expected > 100
    assert abs(found.suspect.sum() - found.expected) < 3 * found.spread
    labels[:300] = (labels[:300] + 1) % 5
    assert doubt_answers(probabilities, labels).suspect.sum() > found.expected + 3 * found.spread
