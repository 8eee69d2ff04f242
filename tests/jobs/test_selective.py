"""Answers withheld to keep a promised error rate: in Python, on the command line, on the test images."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

import vitrail
from vitrail.core.errors import ConfigError
from vitrail.data.sources import open_dataset
from vitrail.evaluation.metrics import softmax
from vitrail.evaluation.selective import reject_threshold, risk_coverage
from vitrail.jobs import report_figures
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.selective import selective_figures, threshold_for


@pytest.fixture(scope="module")
def trained(quick_run):
    return vitrail.load(quick_run)


@pytest.fixture(scope="module")
def quick_run(digits_run):
    return digits_run


@pytest.fixture(scope="module")
def rate(trained):
    """Give a rate that can be promised, and yet not for every image."""
    _, accepted, wrong = zip(*trained.record.risk, strict=True)
    return max(0.05, 0.6 * wrong[-1] / accepted[-1])


@pytest.fixture(scope="module")
def images():
    return open_dataset("digits", seed=0).splits["test"].images


def test_what_the_file_records_is_the_curve_on_validation(trained):
    samples = open_dataset("digits", seed=0).splits["val"]
    probabilities = softmax(trained.logits(list(samples.images)) / np.float32(trained.record.temperature))
    curve = risk_coverage(probabilities, samples.labels)
    thresholds, accepted, wrong = zip(*trained.record.risk, strict=True)
    assert (accepted, wrong) == (curve.accepted, curve.wrong)
    assert thresholds == pytest.approx(curve.thresholds)
    assert accepted[-1] == len(samples.labels)


def test_only_what_is_below_the_threshold_is_unsure(trained, rate, images):
    threshold = threshold_for(trained.record, rate)
    plain = trained.predict(list(images), top=2)
    held = trained.predict(list(images), top=2, max_error=rate)
    for one, other in zip(plain, held, strict=True):
        assert other.label == (one.label if one.probability >= threshold.confidence else "unsure")
        assert (other.probability, other.top, other.error) == (one.probability, one.top, None)
    unsure = sum(answer.label == "unsure" for answer in held)
    assert 0 < unsure < len(held)


def test_evaluate_says_whether_the_promise_holds(trained, rate):
    plain = vitrail.evaluate(trained, "digits")
    figures = vitrail.evaluate(trained, "digits", max_error=rate).metrics["selective"]
    probabilities = softmax(plain.outputs.logits / np.float32(trained.record.temperature))
    given = probabilities.max(axis=1) >= figures["threshold"]
    wrong = probabilities.argmax(axis=1)[given] != plain.outputs.labels[given]
    assert figures["answered"] == given.sum() and figures["coverage"] == given.mean()
    assert figures["error"] == wrong.mean() and figures["interval"][0] <= wrong.mean() <= figures["interval"][1]
    assert figures["interval"][0] <= rate
    assert "selective" not in plain.metrics


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, float("nan")])
def test_a_rate_that_is_none_is_refused_before_any_image_is_read(trained, value):
    with pytest.raises(ConfigError, match=r"max_error = .* 0 < rate < 1"):
        trained.stream(iter(()), max_error=value)


def test_a_rate_that_cannot_be_promised_is_refused(trained):
    with pytest.raises(ConfigError, match=r"max_error = 1e-06 cannot be promised: \d+ validation images") as caught:
        trained.predict([], max_error=1e-6)
    assert "more" in caught.value.hint


def test_a_model_that_was_never_measured_is_refused(trained):
    bare = Predictor(trained.model, replace(trained.record, risk=()), trained.path)
    with pytest.raises(ConfigError, match="does not know how often it is wrong"):
        bare.predict([], max_error=0.1)


def test_the_command_line_answers_unsure(quick_run, rate, images, tmp_path):
    for number, image in enumerate(images[:40]):
        np.save(tmp_path / f"{number:02d}.npy", image)
    out = tmp_path / "answers.csv"
    command = [sys.executable, "-m", "vitrail", "predict", str(quick_run.path), str(tmp_path), "--max-error", str(rate)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout)["predictions"]
    labels = {answer["label"] for answer in answers}
    assert "unsure" in labels and len(labels) > 2
    assert all(answer["top"][0]["label"] == answer["label"] for answer in answers if answer["label"] != "unsure")
    subprocess.run([*command, "--out", str(out)], capture_output=True, check=True)
    with out.open(encoding="utf-8", newline="") as file:
        assert [row["label"] for row in csv.DictReader(file)] == [answer["label"] for answer in answers]
    refused = subprocess.run([*command[:-1], "7"], capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.startswith("error: max_error = 7.0 is not allowed")


def test_the_threshold_is_that_of_the_recorded_curve(trained, rate):
    thresholds, accepted, wrong = zip(*trained.record.risk, strict=True)
    curve = type(risk_coverage(np.ones((1, 2)) / 2, np.zeros(1, np.int64)))(thresholds, accepted, wrong, accepted[-1])
    assert threshold_for(trained.record, rate) == reject_threshold(curve, rate)


def test_the_page_tells_of_the_promises_that_the_file_can_make(trained):
    evaluation = vitrail.evaluate(trained, "digits")
    probabilities = softmax(evaluation.outputs.logits / np.float32(trained.record.temperature))
    risk = report_figures.risk(evaluation, probabilities, trained.record)
    assert risk.n == 359 and risk.coverage[-1] == 1
    assert risk.error[-1] == pytest.approx(1 - evaluation.top1)
    assert 0 < len(risk.promises) <= report_figures.MOST_PROMISES
    for promise in risk.promises:
        figures = selective_figures(trained.record, promise.max_error, probabilities, evaluation.outputs.labels)
        assert (promise.threshold, promise.error, promise.coverage) == tuple(
            figures[name] for name in ("threshold", "error", "coverage")
        )
    assert len({promise.threshold for promise in risk.promises}) == len(risk.promises)
    assert report_figures.risk(evaluation, probabilities, replace(trained.record, risk=())).promises == ()
