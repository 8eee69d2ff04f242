"""The demonstration: which images it explains, and where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitrail.data.sources import open_dataset
from vitrail.jobs import demo
from vitrail.jobs.demo import demonstrate
from vitrail.jobs.evaluate import open_for
from vitrail.jobs.explain import telling_images
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.jobs.predictor import load
from vitrail.jobs.run_folder import RunFolder


def test_one_right_and_one_wrong_answer_are_explained(digits_run, monkeypatch):
    monkeypatch.setattr(demo, "fit", lambda *_, **__: digits_run)
    found = demonstrate()
    assert found.run is digits_run
    assert found.explanations == digits_run.path / "explanations"
    labels = open_for(load(digits_run), "digits").splits["test"]
    truth = {name: str(label) for name, label in zip(labels.names, labels.labels, strict=True)}
    assert [one.explanation.prediction.label == truth[one.path] for one in found.explained] == [True, False]
    assert all(one.files[0].parent == found.explanations and one.files[0].is_file() for one in found.explained)
    answer = found.to_json()
    assert {"top1", "top5", "interval", "n", "out", "seconds", "model"} <= answer.keys()
    assert [one.keys() for one in answer["explanations"]] == [{"path", "label", "probability", "files", "error"}] * 2


def test_a_run_that_is_replaced_takes_its_explanations_along(tmp_path):
    (tmp_path / "config.toml").touch()
    pictures = ExplanationFolder.prepare(tmp_path / "explanations")
    file = pictures.write_picture("1.png", b"x")
    pictures.write_index([{"files": [file.name]}])
    (pictures.path / "mine.png").touch()
    RunFolder.prepare(tmp_path, "digits", resume=False, overwrite=True)
    assert [one.name for one in pictures.path.iterdir()] == ["mine.png"]


@pytest.mark.parametrize(("right", "expected"), [(0, [0, 0]), (1, [1, 0]), (3, [1, 0]), (4, [1, 1])])
def test_two_images_whatever_is_right(digits_run, right, expected):
    evaluation = digits_run.evaluation
    labels, best = evaluation.outputs.labels[:4].copy(), evaluation.outputs.logits[:4].argmax(axis=1)
    labels[:right], labels[right:] = best[:right], (best[right:] + 1) % 10
    outputs = replace(
        evaluation.outputs, logits=evaluation.outputs.logits[:4], labels=labels, indices=np.arange(4, dtype=np.int64)
    )
    dataset = open_dataset("digits")
    found = list(telling_images(replace(evaluation, outputs=outputs), dataset))
    numbers = [evaluation.names.index(subject.name) for subject in found]
    assert len(set(numbers)) == 2
    assert [int(number < right) for number in numbers] == expected
    assert [subject.truth for subject in found] == [dataset.classes[labels[number]] for number in numbers]
