"""Evaluation: the right images, matched by name."""

from __future__ import annotations

import pytest

import vitrail


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
