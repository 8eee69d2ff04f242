"""The checkpoint: one file that safetensors alone can read, the old one or the new, never of another model."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from vitrail.core.errors import StorageError, WeightsError
from vitrail.train.checkpoint import load_checkpoint, read_record, save_checkpoint
from vitrail.train.loop import train_model

Make = Callable[..., Any]
RECORD = {"plan": {"data": "digits", "seed": 3}, "classes": ["a", "ü", "c"]}


def trained(make_case: Make, steps: int = 4, **fields: Any) -> Any:
    case = make_case(**fields)
    for _ in train_model(case.state, case.loader, case.recipe, steps, torch.device("cpu")):
        pass
    case.state.best = {"top1": 0.5, "nll": 0.7, "epoch": 1, "step": 3}
    return case


def state_of(case: Any) -> dict[str, Tensor]:
    """Everything that a checkpoint has to hold, copied."""
    tensors = {f"model {name}": value for name, value in case.state.model.state_dict().items()}
    tensors |= {f"average {name}": value for name, value in case.state.average.model.state_dict().items()}
    for name, parameter in case.state.model.named_parameters():
        tensors |= {f"{key} {name}": value for key, value in case.state.optimizer.state[parameter].items()}
    return {name: value.clone() for name, value in tensors.items()}


@pytest.fixture
def saved(make_case: Make, tmp_path: Path) -> Path:
    path = tmp_path / "last" / "checkpoint.safetensors"
    save_checkpoint(path, trained(make_case).state, RECORD)
    return path


def test_what_is_saved_comes_back(make_case: Make, tmp_path: Path) -> None:
    case = trained(make_case, stem="conv")
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, case.state, RECORD)
    other = make_case(stem="conv", seed=5)
    load_checkpoint(path, other.state)
    ours, theirs = state_of(case), state_of(other)

    assert ours.keys() == theirs.keys() and any("exp_avg_sq" in name for name in ours)
    assert all(torch.equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in ours)
    assert (other.state.step, other.state.best) == (4, case.state.best)
    assert read_record(path) == {"step": 4, "best": case.state.best, "record": RECORD}


def test_before_the_first_step(make_case: Make, tmp_path: Path) -> None:
    case, other = make_case(), make_case(seed=1)
    save_checkpoint(tmp_path / "checkpoint", case.state, {})
    load_checkpoint(tmp_path / "checkpoint", other.state)
    assert (other.state.step, other.state.best, dict(other.state.optimizer.state)) == (0, {}, {})
    assert torch.equal(case.state.model.pos_embed, other.state.model.pos_embed)


def test_frozen_parameters_have_no_moments(make_case: Make, tmp_path: Path) -> None:
    from vitrail.train.optimizer import ParameterPolicy

    policies = ((r"head\..*", ParameterPolicy()), (r".*", ParameterPolicy(0.0)))
    case = trained(make_case, policies=policies)
    save_checkpoint(tmp_path / "checkpoint", case.state, {})
    names = {
        name.removeprefix("optimizer.exp_avg.") for name in load_file(tmp_path / "checkpoint") if ".exp_avg." in name
    }
    assert names == {"head.weight", "head.bias"}
    other = make_case(policies=policies)
    load_checkpoint(tmp_path / "checkpoint", other.state)
    assert len(other.state.optimizer.state) == 2


def test_safetensors_alone_can_read_it(saved: Path, make_case: Make) -> None:
    with safe_open(saved, framework="numpy") as file:
        header = json.loads(file.metadata()["vitrail_checkpoint"])
        names = set(file.keys())
        head = file.get_tensor("average.head.weight")
    assert header["record"] == RECORD and header["step"] == 4
    parameters = {name for name, _ in make_case().state.model.named_parameters()}
    for prefix in ("model.", "average.", "optimizer.step.", "optimizer.exp_avg.", "optimizer.exp_avg_sq."):
        assert {prefix + name for name in parameters} <= names
    assert head.shape == (3, 16)
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name], "one file and nothing beside it"


@pytest.mark.parametrize("name", ["replace", "fsync"])
def test_the_old_one_survives_a_failing_write(
    saved: Path, make_case: Make, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    old = saved.read_bytes()
    case = trained(make_case, steps=5)

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, full)
        with pytest.raises(StorageError, match="No space left"):
            save_checkpoint(saved, case.state, RECORD)
    assert saved.read_bytes() == old
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]

    save_checkpoint(saved, case.state, RECORD)
    assert read_record(saved)["step"] == 5


def test_a_truncated_file(saved: Path, make_case: Make) -> None:
    content = saved.read_bytes()
    case = make_case()
    before = state_of_model(case)
    for length in [0, 1, 7, 8, 9, 100, 1000, *range(2000, len(content), 7001), len(content) - 1]:
        saved.write_bytes(content[:length])
        for read in (read_record, lambda path: load_checkpoint(path, case.state)):
            with pytest.raises(WeightsError, match="not a readable checkpoint") as caught:
                read(saved)
            assert "--overwrite" in caught.value.hint
    assert case.state.step == 0 and all(
        torch.equal(one, other) for one, other in zip(before, state_of_model(case), strict=True)
    )


def state_of_model(case: Any) -> list[Tensor]:
    return [value.clone() for value in case.state.model.state_dict().values()]


def test_files_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(WeightsError, match="there is no checkpoint to resume"):
        read_record(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_record(path)
    for header in ("no json", "[]", "[1, 2"):
        save_file({"a": torch.zeros(2)}, path, metadata={"vitrail_checkpoint": header})
        with pytest.raises(WeightsError):
            read_record(path)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 100)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        read_record(path)
    with pytest.raises(WeightsError):
        read_record(tmp_path)


@pytest.mark.parametrize(
    "fields", [{"depth": 3}, {"embed_dim": 32}, {"stem": "conv"}, {"distilled": True}, {"num_classes": 4}]
)
def test_a_checkpoint_of_another_model(saved: Path, make_case: Make, fields: dict[str, Any]) -> None:
    with pytest.raises(WeightsError, match="the checkpoint is of another model"):
        load_checkpoint(saved, make_case(**fields).state)


def test_a_checkpoint_without_the_running_mean(make_case: Make, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", make_case(ema=0.0).state, {})
    with pytest.raises(WeightsError, match="another model"):
        load_checkpoint(tmp_path / "checkpoint", make_case(ema=0.9).state)
