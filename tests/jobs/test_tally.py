"""Figures and time of an epoch: nothing is lost where a run is broken off and goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest

import vitrail
from vitrail.core.errors import Interrupted
from vitrail.jobs.tally import Tally, peak_memory
from vitrail.train.checkpoint import read_record
from vitrail.train.loop import StepDone

TIMES = ("reading_seconds", "preparing_seconds", "learning_seconds", "validation_seconds")


def step(loss, correct, images, seconds, waiting):
    return StepDone(1, 0, loss, correct, images, 0.1, seconds, waiting, None)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_means_are_over_images_and_time_is_split():
    tally = Tally(reading=5.0)
    tally.add(step(1.0, 3, 10, 2.0, 0.5))
    tally.add(step(4.0, 5, 5, 1.0, 0.5))
    found = tally.figures()
    assert found["loss"] == pytest.approx(2.0)
    assert found["train_top1"] == pytest.approx(8 / 15)
    assert found["images"] == 15
    assert found["images_per_second"] == pytest.approx(5.0)
    assert [found[name] for name in TIMES[:3]] == [5.0, 1.0, 2.0]
    assert Tally(**json.loads(json.dumps(asdict(tally)))) == tally, "it goes into the checkpoint and back exactly"


def test_an_epoch_of_which_nothing_could_be_used_has_figures():
    assert Tally().figures()["loss"] == 0


def test_a_broken_off_epoch_is_counted_whole(tmp_path, quick):
    """Stopped in the middle of the second epoch: its line is that of an unbroken run, and no time is lost."""
    cut, whole = tmp_path / "cut", tmp_path / "whole"

    def stop(event):
        if isinstance(event, StepDone) and event.step == 15:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        vitrail.fit("digits", out=cut, epochs=3, listener=stop, **quick)
    kept = read_record(cut / "last" / "checkpoint.safetensors")
    tally = kept["record"]["tally"]
    assert kept["step"] == 15
    assert tally["images"] == sum(len(part) for part in np.array_split(np.arange(1294), 10)[:5])
    assert tally["learning"] > 0
    first = lines(cut)[0]
    assert tally["elapsed"] >= tally["preparing"] + tally["learning"] + sum(first[name] for name in TIMES)

    run = vitrail.fit("digits", out=cut, epochs=3, resume=True, **quick)
    vitrail.fit("digits", out=whole, epochs=3, **quick)
    same = ("epoch", "step", "loss", "train_top1", "images", "val_top1", "val_nll", "lr")
    assert [[line[key] for key in same] for line in lines(cut)] == [
        [line[key] for key in same] for line in lines(whole)
    ]
    again, plain = lines(cut), lines(whole)
    assert again[0] == first
    assert again[1]["learning_seconds"] > tally["learning"]
    assert again[0]["reading_seconds"] > 0 and again[1]["reading_seconds"] > 0, "each session opened the data"
    assert plain[1]["reading_seconds"] == 0
    assert run.seconds > tally["elapsed"]
    assert run.seconds > sum(line[name] for line in again for name in TIMES)
    page = (cut / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert re.search(r"<dt>Images seen</dt><dd>3,882</dd>", page)
    assert "Computed in training" in page and "Peak memory" in page


def test_peak_memory_is_the_most_that_was_held():
    code = (
        "from vitrail.jobs.tally import peak_memory; import numpy; before = peak_memory(); "
        "held = numpy.ones(2 * 10**8, dtype=numpy.uint8); del held; print(before, peak_memory())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 0.9e8 < after - before < 4e8
    assert peak_memory() > 10**7
