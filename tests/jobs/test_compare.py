"""Two models on the same images."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

import vitrail
from vitrail.core.errors import DataError
from vitrail.evaluation.comparison import compare_answers
from vitrail.jobs.compare import contest


@pytest.fixture(scope="module")
def worse_run(tmp_path_factory):
    settings = {"depth": 1, "batch_size": 128, "lr": 1e-4}
    out = tmp_path_factory.mktemp("runs") / "worse"
    return vitrail.fit("digits", model="vit_nano_conv_patch2_8", out=out, epochs=1, settings=settings)


def right(evaluation):
    return evaluation.outputs.logits.argmax(axis=1) == evaluation.outputs.labels


def test_the_better_one_is_called_better_and_the_other_worse(digits_run, worse_run):
    one, other = vitrail.evaluate(digits_run, "digits"), vitrail.evaluate(worse_run, "digits")
    found = contest(one, other)
    assert found.compared == compare_answers(right(one), right(other))
    assert found.top1 == other.top1
    assert ": better; +" in found.sentence() and "n = 359" in found.sentence()
    assert ": worse; -" in contest(other, one).sentence()
    assert "not separated" in contest(one, one).sentence()


def test_only_images_that_both_could_use_count(digits_run):
    evaluation = vitrail.evaluate(digits_run, "digits")
    outputs = evaluation.outputs
    fewer = replace(evaluation, outputs=replace(
        outputs, logits=outputs.logits[5:], labels=outputs.labels[5:], indices=outputs.indices[5:]
    ))  # fmt: skip
    assert contest(evaluation, fewer).compared.n == 354
    assert contest(evaluation, fewer).compared.difference == 0


def test_other_images_or_classes_are_refused(digits_run):
    evaluation = vitrail.evaluate(digits_run, "digits")
    for changed in (replace(evaluation, names=evaluation.names[1:]), replace(evaluation, classes=tuple("abcdefghij"))):
        with pytest.raises(DataError, match="different images or classes"):
            contest(evaluation, changed)


def test_the_command_line_compares(digits_run, worse_run):
    command = [sys.executable, "-m", "vitrail", "evaluate", str(digits_run.path), "digits"]
    command += ["--against", str(worse_run.path)]
    printed = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True, check=True).stdout)
    assert printed["against"]["n"] == 359 and printed["against"]["difference"] > 0
    assert set(printed["against"]) == {
        "model", "top1", "n", "first_only", "second_only", "difference", "interval", "p_value",
    }  # fmt: skip
    assert "against" in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
