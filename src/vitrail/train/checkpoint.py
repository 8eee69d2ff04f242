"""The checkpoint of a training run: one file, written whole or not at all, without pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.train.loop import TrainState


def save_checkpoint(path: Path, state: TrainState, record: dict[str, Any]) -> None:
    """Write everything needed to go on: weights, running mean, optimizer, step, best; and what the run is.

    Args:
        path: file to write; an older one stays whole until the new one is.
        state: where training stands.
        record: plain data that says what run this is (config, seed, classes).

    Raises:
        StorageError: if the disk refuses.
    """
    tensors: dict[str, Tensor] = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    if state.average:
        tensors |= {f"average.{name}": value for name, value in state.average.model.state_dict().items()}
    for name, parameter in state.model.named_parameters():
        for key, value in state.optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    header = json.dumps({"step": state.step, "best": state.best, "record": record})
    content = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(content, metadata={"vitrail_checkpoint": header}))


def read_record(path: Path) -> dict[str, Any]:
    """Read what run a checkpoint belongs to.

    Args:
        path: the file.

    Returns:
        `step`, `best` and `record` as they were saved.

    Raises:
        WeightsError: if it is missing or not a checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads(file.metadata()["vitrail_checkpoint"])
            return {key: header[key] for key in ("step", "best", "record")}
    except FileNotFoundError:
        raise WeightsError(f"{path}: there is no checkpoint to resume", hint="start again with --overwrite") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"{path}: not a readable checkpoint ({error})", hint="start again with --overwrite"
        ) from error


def load_checkpoint(path: Path, state: TrainState) -> None:
    """Bring a state to where a checkpoint left it.

    Args:
        path: the file.
        state: changed in place; made for the same model and recipe.

    Raises:
        WeightsError: if the file does not fit the state.
    """
    header = read_record(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

    try:
        state.model.load_state_dict(part("model."))
        if state.average:
            state.average.model.load_state_dict(part("average."))
    except RuntimeError as error:
        raise WeightsError(f"{path}: the checkpoint is of another model: {error}") from error
    moments: dict[str, dict[str, Tensor]] = {}
    for key_name, value in part("optimizer.").items():
        key, _, name = key_name.partition(".")
        moments.setdefault(name, {})[key] = value
    for name, parameter in state.model.named_parameters():
        if name in moments:
            to = parameter.device
            state.optimizer.state[parameter] = {
                key: value if key == "step" else value.to(to) for key, value in moments[name].items()
            }
    state.step, state.best = int(header["step"]), header["best"]
