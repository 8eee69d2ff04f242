"""TensorBoard: every figure is in the event file once, also after a resumption, and its absence is said at once."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

import vitrail
from vitrail.core.errors import ConfigError, StorageError
from vitrail.jobs.events import Started
from vitrail.jobs.tracking import TRACKERS, find_tracker, tracking
from vitrail.jobs.tracking.tensorboard import TensorBoard


class Stop(Exception):
    """End a training from outside, as a killed process does, only tidier."""


def read(run):
    found = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    found.Reload()
    return found


def curve(found, name):
    return {event.step: event.value for event in found.Scalars(name)}


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """Give a run of three epochs that was tracked."""
    out = tmp_path_factory.mktemp("tracked") / "run"
    settings = {"depth": 1, "batch_size": 128}
    return vitrail.fit("digits", "vit_nano_conv_patch2_8", out=out, epochs=3, settings=settings, track="tensorboard")


def test_every_step_and_epoch_is_written_once(tracked):
    found, records = read(tracked.path), lines(tracked.path)
    steps = list(range(1, tracked.plan.steps + 1))
    for name in ("loss/training", "accuracy/training", "training/learning_rate", "training/images_per_second"):
        assert [event.step for event in found.Scalars(name)] == steps, name
    assert curve(found, "accuracy/validation") == pytest.approx({one["step"]: one["val_top1"] for one in records})
    assert curve(found, "loss/validation") == pytest.approx({one["step"]: one["val_nll"] for one in records})
    assert curve(found, "training/learning_rate")[steps[-1]] == pytest.approx(records[-1]["lr"], abs=1e-9)
    per_epoch = steps[-1] // 3
    losses = list(curve(found, "loss/training").values())[:per_epoch]
    assert sum(losses) / per_epoch == pytest.approx(records[0]["loss"], rel=2e-3), "batches are of nearly equal size"


def test_settings_and_result_are_there_to_compare_runs(tracked):
    found = read(tracked.path)
    assert list(curve(found, "test/top1").values()) == [pytest.approx(tracked.top1)]
    metadata = found.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    settings = plugin_data_pb2.HParamsPluginData.FromString(metadata).session_start_info.hparams
    assert settings["recipe.batch_size"].number_value == 128
    assert settings["model.position.kind"].string_value == "learned_1d"
    text = found.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "| model.depth | 1 |" in text
    assert f"| test/top1 | {tracked.top1:.6g} |" in text


def test_a_resumed_run_has_no_step_twice(tmp_path, quick):
    """What was written after the checkpoint from which it goes on is purged, what was before it is kept."""
    out, checkpoints = tmp_path / "run", []

    def die(event):
        if checkpoints and getattr(event, "step", 0) == 17:
            raise Stop

    def save(training):
        if not checkpoints:
            checkpoints.append(training.state.step)
            original(training)

    from vitrail.jobs.training import Training

    original = Training._save_checkpoint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vitrail.jobs.training.CHECKPOINT_SECONDS", 0.0)
        patch.setattr(Training, "_save_checkpoint", save)
        with pytest.raises(Stop):
            vitrail.fit("digits", out=out, epochs=3, track="tensorboard", listener=die, **quick)
    before = curve(read(out), "loss/training")
    assert list(before) == list(range(1, 18))
    run = vitrail.fit("digits", out=out, epochs=3, track="tensorboard", resume=True, **quick)
    found = read(out)
    for name in found.Tags()["scalars"]:
        counted = Counter(event.step for event in found.Scalars(name))
        assert set(counted.values()) == {1}, name
    after = curve(found, "loss/training")
    assert list(after) == list(range(1, run.plan.steps + 1))
    assert checkpoints == [10]
    assert {step: after[step] for step in range(1, 18)} == before, "the same steps give the same loss"
    again = vitrail.fit("digits", out=out, epochs=3, track="tensorboard", resume=True, **quick)
    assert list(curve(read(out), "test/top1").values()) == [pytest.approx(again.top1)]
    assert len(read(out).Scalars("test/top1")) == 1
    assert curve(read(out), "loss/training") == after


def test_a_run_that_is_replaced_begins_afresh(tracked, tmp_path, quick):
    for overwrite in (False, True):
        run = vitrail.fit("digits", out=tmp_path / "run", epochs=1, track="tensorboard", overwrite=overwrite, **quick)
    assert len(list((run.path / "tensorboard").iterdir())) == 1
    (run.path / "tensorboard" / "mine.txt").write_text("keep")
    vitrail.fit("digits", out=run.path, epochs=1, overwrite=True, **quick)
    assert [path.name for path in (run.path / "tensorboard").iterdir()] == ["mine.txt"], "nor is the old one left"


def test_long_trainings_have_a_bounded_number_of_points(tmp_path):
    tracker = TensorBoard()
    with tracking(tracker, tmp_path, lambda event: None) as tell:
        tell(Started(100_000, 1_000, 0))
        assert tracker.every == 200
    with tracking(tracker, tmp_path, lambda event: None) as tell:
        tell(Started(100_000, 50, 0))
        assert tracker.every == 50, "one an epoch at least"


def test_a_missing_package_is_said_before_anything_happens(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="tensorboard, which is not installed") as error:
        vitrail.fit("digits", out=tmp_path / "run", epochs=1, track="tensorboard")
    assert error.value.hint == "pip install 'vitrail[track]', or uv sync --extra track"
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match="unknown tracker 'tensorbord'") as error:
        find_tracker("tensorbord")
    assert error.value.hint == "did you mean tensorboard?"
    assert find_tracker(None) is None


@pytest.mark.parametrize("name", TRACKERS)
def test_a_tracker_writes_nothing_before_it_is_opened(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = find_tracker(name)
    with tracking(tracker, tmp_path / "run", lambda event: None):
        assert list(tmp_path.iterdir()) == []
    assert list(tmp_path.iterdir()) == []


def test_an_own_tracker_hears_everything_and_is_closed(tmp_path, quick):
    class Mine:
        def __init__(self):
            self.heard = []

        def open(self, run):
            self.run = run

        def __call__(self, event):
            self.heard.append(type(event).__name__)
            if len(self.heard) == 5:
                raise Stop

        def close(self):
            self.heard.append("closed")

    mine = Mine()
    with pytest.raises(Stop):
        vitrail.fit("digits", out=tmp_path / "run", epochs=1, track=mine, **quick)
    assert mine.run == tmp_path / "run"
    assert len(mine.heard) == 6
    assert mine.heard[-1] == "closed"


def test_a_disk_that_refuses_is_said(tmp_path, quick):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").write_text("")
    (tmp_path / "run" / "tensorboard").write_text("a file in the way")
    with pytest.raises(StorageError, match="tensorboard"):
        vitrail.fit("digits", out=tmp_path / "run", epochs=1, track="tensorboard", overwrite=True, **quick)
