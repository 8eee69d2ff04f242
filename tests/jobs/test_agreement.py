"""The promise that no peer tests: validation, evaluate and predict say the same of the same files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import vitrail
from vitrail.jobs import training
from vitrail.jobs.predict import expand_paths


@pytest.fixture(scope="module")
def trained(tmp_path_factory, write_digits):
    """Train on 60 files, validate on 500, and keep the logits that validation saw."""
    folder = tmp_path_factory.mktemp("agreement")
    splits = ("val",) * 25 + ("train",) * 3
    data = write_digits(folder / "data", 560, splits, (".png", ".webp", ".bmp", ".jpg", ".tif"))
    seen = []
    original = training.compute_outputs

    def capture(*args):
        seen.append(original(*args))
        return seen[-1]

    patch = pytest.MonkeyPatch()
    patch.setattr(training, "compute_outputs", capture)
    run = vitrail.fit(data, "vit_nano_conv_patch2_8", out=folder / "run", epochs=4, settings={"depth": 1})
    patch.undo()
    best = seen[vitrail.load(run).record.training["best"]["epoch"]]
    return data, run, best


def test_validation_evaluate_and_predict_agree(trained):
    data, run, validation = trained
    files = expand_paths([str(data / "val")])
    assert len(files) == 500

    evaluation = vitrail.evaluate(run, data, split="val")
    predictor = vitrail.load(run.path)
    logits = predictor.logits(files)
    one_by_one = np.concatenate([predictor.logits(file) for file in files[:50]])
    answers = predictor.predict(files)

    assert np.abs(evaluation.outputs.logits - validation.logits).max() <= 1e-5
    in_order = [evaluation.names.index(str(Path(file).relative_to(data))) for file in files]
    assert np.abs(logits - evaluation.outputs.logits[in_order]).max() <= 1e-5
    assert np.abs(one_by_one - logits[:50]).max() <= 1e-5
    top1 = [run.evaluation.classes[best] for best in validation.logits[in_order].argmax(axis=1)]
    assert [answer.label for answer in answers] == top1


def test_the_command_line_agrees_with_python(trained, tmp_path):
    data, run, _ = trained
    from vitrail.cli.main import main

    assert main(["predict", str(run.path), str(data / "val"), "--out", str(tmp_path / "answers.csv")]) == 0
    with (tmp_path / "answers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    answers = vitrail.load(run).predict([row["path"] for row in rows])
    assert [row["label"] for row in rows] == [answer.label for answer in answers]


def test_metrics_of_the_log_are_those_of_evaluate(trained):
    data, run, _ = trained
    best = vitrail.load(run).record.training["best"]
    assert vitrail.evaluate(run, data, split="val").top1 == pytest.approx(best["top1"], abs=1e-12)
