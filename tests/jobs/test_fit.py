"""The main job: what a run leaves, and that it can be repeated, resumed and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from safetensors import safe_open

import vitrail
from vitrail.core.toml import read_toml
from vitrail.data.loader import TrainLoader
from vitrail.jobs.plan import Plan
from vitrail.weights.model_file import load_model


def content(path: Path):
    """Read a model file with safetensors alone."""
    with safe_open(path, framework="np") as file:
        record = json.loads(file.metadata()["vitrail"])
        names = list(file.keys())
        return {"record": record, "tensors": {name: file.get_tensor(name) for name in names}}


def assert_same_weights(one: Path, other: Path):
    mine, theirs = content(one)["tensors"], content(other)["tensors"]
    assert mine.keys() == theirs.keys()
    for name in mine:
        assert np.array_equal(mine[name], theirs[name]), name


def test_a_run_leaves_what_the_design_says(digits_run):
    names = {path.name for path in digits_run.path.iterdir()}
    expected = {
        "model.safetensors",
        "last",
        "config.toml",
        "metrics.jsonl",
        "report.html",
        "predictions.parquet",
        "log.txt",
    }
    assert expected <= names
    assert "bad_files.csv" not in names
    records = [json.loads(line) for line in (digits_run.path / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [0, 1, 2]
    assert records[-1]["loss"] < records[0]["loss"]


def test_the_model_file_describes_itself(digits_run):
    record = content(digits_run.path / "model.safetensors")["record"]
    assert record["classes"] == [str(digit) for digit in range(10)]
    assert record["spec"]["size"] == [8, 8]
    assert record["architecture"]["num_classes"] == 10
    assert record["calibration"]["temperature"] > 0
    assert record["training"]["seed"] == 0
    assert record["data"]["splits"] == {"train": 1294, "val": 144, "test": 359}
    assert len(record["data"]["fingerprint"]) == len(record["sha256"]) == 64


def test_predictions_hold_every_test_image(digits_run):
    table = parquet.read_table(digits_run.path / "predictions.parquet").to_pydict()
    assert len(table["path"]) == 359 == digits_run.evaluation.metrics["n"]
    assert np.mean(table["correct"]) == pytest.approx(digits_run.top1, abs=1e-12)


def test_config_toml_repeats_the_run_bit_for_bit(digits_run, tmp_path):
    again = vitrail.fit(config=digits_run.path / "config.toml", out=tmp_path / "again")
    assert_same_weights(digits_run.path / "model.safetensors", again.path / "model.safetensors")
    assert again.plan == digits_run.plan


@pytest.mark.parametrize("beside", [{"epochs": 3}, {"seed": 4}, {"model": "S/16"}, {"settings": {"lr": 1}}])
def test_nothing_may_be_asked_for_beside_a_config(digits_run, tmp_path, beside):
    with pytest.raises(vitrail.ConfigError, match=next(iter(beside))):
        vitrail.fit(config=digits_run.path / "config.toml", out=tmp_path / "run", **beside)


def test_another_seed_is_another_run(digits_run, quick, tmp_path):
    other = vitrail.fit("digits", out=tmp_path / "other", epochs=1, seed=1, **quick)
    assert other.plan.seed == 1
    record, first = (content(run.path / "model.safetensors")["record"] for run in (other, digits_run))
    assert record["data"]["fingerprint"] != first["data"]["fingerprint"]


def test_reading_the_data_counts_in_the_minutes(quick, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("vitrail.jobs.training.steps_in", lambda seconds, *_: given.append(seconds) or 1)
    clock = time.perf_counter()
    vitrail.fit("digits", out=tmp_path / "run", minutes=10, **quick)
    assert 600 - (time.perf_counter() - clock) < given[0] < 600


def test_minutes_fix_the_steps_and_write_them_down(quick, tmp_path):
    run = vitrail.fit("digits", out=tmp_path / "run", minutes=0.05, **quick)
    assert read_toml(run.path / "config.toml", Plan).steps == run.plan.steps >= 1
    again = vitrail.fit(config=run.path / "config.toml", out=tmp_path / "again")
    assert_same_weights(run.path / "model.safetensors", again.path / "model.safetensors")


def test_notes_say_what_was_chosen(tmp_path):
    notes: list[str] = []
    vitrail.fit(
        "digits", out=tmp_path / "run", epochs=1, listener=lambda event: notes.append(getattr(event, "text", ""))
    )
    text = "\n".join(notes)
    assert "set aside as test" in text
    assert "model vit_nano_conv_patch2_8" in text
    assert "recipe small" in text
    log = (tmp_path / "run" / "log.txt").read_text()
    assert "set aside as test" in log
    assert "recipe small" in log


def test_a_run_is_not_overwritten_unless_asked(digits_run, quick, tmp_path):
    out = tmp_path / "run"
    vitrail.fit("digits", out=out, epochs=1, **quick)
    before = (out / "model.safetensors").read_bytes()
    with pytest.raises(vitrail.ConfigError, match="already holds a run"):
        vitrail.fit("digits", out=out, epochs=1, **quick)
    assert (out / "model.safetensors").read_bytes() == before
    (out / "mine.txt").write_text("keep")
    vitrail.fit("digits", out=out, epochs=1, seed=3, overwrite=True, **quick)
    assert (out / "model.safetensors").read_bytes() != before
    assert (out / "mine.txt").read_text() == "keep"


def test_a_folder_of_something_else_is_never_touched(quick, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(vitrail.ConfigError, match="holds no run"):
            vitrail.fit("digits", out=tmp_path, epochs=1, overwrite=overwrite, **quick)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_resume_of_other_settings_is_refused(digits_run, quick):
    with pytest.raises(vitrail.ConfigError, match="begun otherwise.*seed: 0 → 5"):
        vitrail.fit("digits", out=digits_run.path, epochs=3, seed=5, resume=True, **quick)


def test_resume_of_a_finished_run_changes_nothing(digits_run, quick):
    before = (digits_run.path / "model.safetensors").read_bytes()
    again = vitrail.fit("digits", out=digits_run.path, epochs=3, resume=True, **quick)
    assert (digits_run.path / "model.safetensors").read_bytes() == before
    assert again.top1 == digits_run.top1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_goes_on_as_if_nothing_had_happened(number, code, digits_run, tmp_path):
    """The same command again with --resume ends with the same weights as a run that was never stopped."""
    command = [
        sys.executable, "-m", "vitrail", "fit", "digits", "--model", "vit_nano_conv_patch2_8", "--epochs", "12",
        "--set", "depth=1", "--set", "batch_size=128", "--set", "mixup=0.3", "--set", "drop_rate=0.1",
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "cut")], stderr=subprocess.PIPE, text=True, env=environment
    )
    metrics = tmp_path / "cut" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while not (metrics.is_file() and metrics.read_text().count("\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "--resume" in errors
    subprocess.run(
        [*command, "--out", str(tmp_path / "cut"), "--resume"], check=True, capture_output=True, env=environment
    )
    subprocess.run([*command, "--out", str(tmp_path / "whole")], check=True, capture_output=True, env=environment)
    assert_same_weights(tmp_path / "cut" / "model.safetensors", tmp_path / "whole" / "model.safetensors")
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == sorted(set(steps))
    assert len(steps) == 12


def test_bad_files_are_named_and_left_out(quick, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 200, ("train", "val", "test"))
    broken = {"train": "truncated", "val": "text", "test": "empty"}
    for split, kind in broken.items():
        victim = min((data / split).rglob("*.png"))
        victim.write_bytes({"truncated": victim.read_bytes()[:40], "text": b"no image", "empty": b""}[kind])
    tree = {path: path.read_bytes() for path in data.rglob("*.png")}
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, **quick)
    rows = (run.path / "bad_files.csv").read_text().splitlines()
    assert rows[0] == "split,path,reason"
    assert sorted(row.split(",")[0] for row in rows[1:]) == ["test", "train", "val"]
    assert run.evaluation.metrics["n"] == len(list((data / "test").rglob("*.png"))) - 1
    assert {path: path.read_bytes() for path in data.rglob("*.png")} == tree


def test_the_number_of_workers_changes_nothing(quick, tmp_path, write_digits, monkeypatch):
    """Sets that do not fit in memory are decoded by workers; the weights are the same whatever their number."""
    data = write_digits(tmp_path / "data", 300)
    for workers in (0, 2):
        loader = partial(TrainLoader, memory_limit=0, workers=workers)
        monkeypatch.setattr("vitrail.jobs.training.TrainLoader", loader)
        settings = {**quick["settings"], "crop_scale": [0.5, 1.0], "mixup": 0.2}
        vitrail.fit(data, quick["model"], out=tmp_path / str(workers), epochs=2, settings=settings)
    assert_same_weights(tmp_path / "0" / "model.safetensors", tmp_path / "2" / "model.safetensors")


def test_a_run_can_start_from_another(digits_run, quick, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 150)
    run = vitrail.fit(data, model=digits_run.path, out=tmp_path / "run", epochs=1)
    assert run.plan.start == str(digits_run.path)
    assert run.evaluation.classes == tuple(f"class {digit}" for digit in range(10))
    assert "fresh: head.weight, head.bias" in (run.path / "log.txt").read_text()


def test_a_run_can_start_at_another_size_with_other_channels(digits_run, tmp_path):
    settings = {"in_chans": 3, "batch_size": 128}
    run = vitrail.fit("digits", digits_run.path, out=tmp_path / "run", epochs=1, image_size=12, settings=settings)
    log, (model, record) = (run.path / "log.txt").read_text(), load_model(run.path / "model.safetensors")
    assert model.config.image_size == record.spec.size == (12, 12)
    assert model.config.in_chans == record.spec.channels == 3
    adapted = record.training["weights"]["adapted"]
    assert "positions carried from (4, 4) to (6, 6) patches by the rule of timm" in adapted[0]
    assert "stem.conv0.weight adapted from 1 to 3 channels: repeated and scaled by 1 / 3" in adapted[1]
    assert all(text in log for text in adapted)
    assert "fresh: none" in log


def test_distilled_and_patch_models_train_too(tmp_path):
    for fields in ({"distilled": True}, {"stem": "patch"}, {"position": "none"}):
        settings = {"depth": 1, "pool": "class_token", "class_token": True, **fields}
        run = vitrail.fit(
            "digits", "vit_nano_conv_patch2_8", out=tmp_path / str(sorted(fields)), epochs=1, settings=settings
        )
        assert 0 < run.top1 <= 1


def test_accumulated_gradients_train_too(quick, tmp_path):
    quick["settings"] = {**quick["settings"], "micro_batch": 48}
    assert 0 < vitrail.fit("digits", out=tmp_path / "run", epochs=1, **quick).top1 <= 1


def test_diverging_training_stops_and_keeps_the_best(quick, tmp_path):
    quick["settings"] = {**quick["settings"], "lr": 1e30, "clip": "none", "ema": 0}
    with pytest.raises(vitrail.NonFiniteError, match="step"):
        vitrail.fit("digits", out=tmp_path / "run", epochs=5, **quick)
