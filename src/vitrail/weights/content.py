"""What a weight file or folder holds: tensors by name and the texts beside them. What it is, the content says."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.weights.arrays import read_arrays
from vitrail.weights.pickled import read_pickle
from vitrail.weights.reference import CONFIG_NAME, WEIGHT_NAMES
from vitrail.weights.tensor_file import read_tensors

PROCESSOR_NAME = "preprocessor_config.json"
LARGEST_JSON = 64 * 2**20
WRAPPERS = ("model", "state_dict", "model_state_dict", "model_ema", "state_dict_ema", "teacher", "student")
"""Keys under which training scripts put the weights, beside the optimizer and the like; the first is read."""


@dataclass(frozen=True)
class Content:
    """Hold what was read, before it is known what it means.

    Args:
        path: the file or folder.
        container: "safetensors", "pickle" or "npz".
        tensors: name → tensor on the CPU, as it is stored.
        wrapper: keys of the dictionaries in which the tensors lay, outermost first.
        config: `config.json` of a folder; empty for a file.
        processor: `preprocessor_config.json` of a folder; empty if there is none.
    """

    path: Path
    container: str
    tensors: dict[str, Tensor]
    wrapper: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    processor: dict[str, Any] = field(default_factory=dict)


def read_content(path: Path) -> Content:
    """Read a weight file, or a folder with `config.json` and weights.

    Args:
        path: it exists.

    Returns:
        What it holds. Nothing in it was executed, and nothing larger than the file was allocated.

    Raises:
        WeightsError: if it is no weight file, damaged, or claims what it does not hold.
    """
    try:
        return _read_folder(path) if path.is_dir() else _read_file(path)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_file(path: Path) -> Content:
    with path.open("rb") as file:
        head = file.read(512)
    size = path.stat().st_size
    if head.startswith(b"version https://git-lfs"):
        raise WeightsError(f"{path}: a git-lfs pointer, not the weights", hint="fetch the file itself: git lfs pull")
    if head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise WeightsError(f"{path}: an HTML page, not weights", hint="download the file, not the page that shows it")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size:
        return _read_safetensors(path)
    if head.startswith(b"PK\x03\x04"):
        return _read_zip(path)
    if head.startswith(b"\x80"):
        return _unwrapped(path, read_pickle(path))
    raise WeightsError(
        f"{path}: not a weight file (it begins with {head[:8]!r})",
        hint="it is truncated, damaged, or of another kind; known are .safetensors, .pth, .bin and .npz, by content",
    )


def _read_zip(path: Path) -> Content:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        hint = "it is truncated or damaged: copy it again from where it came"
        raise WeightsError(f"{path}: not a readable archive ({error})", hint=hint) from error
    if any(name.endswith(".npy") for name in names):
        return Content(path, "npz", read_arrays(path))
    if any(name.rpartition("/")[2] == "constants.pkl" for name in names):
        hint = "it holds code: save the state_dict of the model instead"
        raise WeightsError(f"{path}: a TorchScript archive, not weights", hint=hint)
    if any(name.rpartition("/")[2] == "data.pkl" for name in names):
        return _unwrapped(path, read_pickle(path))
    raise WeightsError(f"{path}: an archive without weights", hint="give the weight file that lies in it")


def _read_safetensors(path: Path) -> Content:
    try:
        tensors = read_tensors(path)
    except SafetensorError as error:
        hint = "it is truncated, damaged, or of another kind"
        raise WeightsError(f"{path}: not a readable .safetensors file ({error})", hint=hint) from error
    return Content(path, "safetensors", tensors)


def _unwrapped(path: Path, loaded: object) -> Content:
    """Find the tensors among what a training script saved."""
    wrapper: list[str] = []
    while isinstance(loaded, Mapping):
        if loaded and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in loaded.items()):
            tensors = dict(loaded)
            if all(name.startswith("module.") for name in tensors):
                tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
                wrapper.append("module")
            return Content(path, "pickle", tensors, tuple(wrapper))
        inside = next((key for key in WRAPPERS if isinstance(loaded.get(key), Mapping)), None)
        if inside is None:
            break
        wrapper.append(inside)
        loaded = loaded[inside]
    held = ", ".join(map(str, list(loaded)[:8])) if isinstance(loaded, Mapping) else type(loaded).__name__
    hint = f"save the state_dict alone, or under {', '.join(WRAPPERS)}"
    raise WeightsError(f"{path}: holds no dictionary of tensors alone, but {held or 'nothing'}", hint=hint)


def _read_folder(path: Path) -> Content:
    config = read_json(path / CONFIG_NAME)
    processor = read_json(path / PROCESSOR_NAME) if (path / PROCESSOR_NAME).is_file() else {}
    for name in WEIGHT_NAMES:
        index = path / f"{name}.index.json"
        if index.is_file():
            return _read_shards(path, index, config, processor)
        if (path / name).is_file():
            return replace(_read_file(path / name), path=path, config=config, processor=processor)
    hint = "give a folder with config.json and weights"
    raise WeightsError(f"{path}: holds none of {', '.join(WEIGHT_NAMES)}", hint=hint)


def _read_shards(path: Path, index: Path, config: dict[str, Any], processor: dict[str, Any]) -> Content:
    places = read_json(index).get("weight_map")
    if not isinstance(places, dict) or not places or not all(isinstance(place, str) for place in places.values()):
        raise WeightsError(f"{index}: has no weight_map from names to files", hint="it is damaged: copy it again")
    contents: list[Content] = []
    for shard in dict.fromkeys(places.values()):
        if Path(shard).name != shard or not (path / shard).is_file():
            raise WeightsError(f"{index}: names {shard!r}, which is not in the folder", hint="copy all the shards")
        contents.append(_read_file(path / shard))
    tensors = {name: value for content in contents for name, value in content.tensors.items()}
    wrong = sorted(tensors.keys() ^ places.keys())
    if wrong:
        hint = "the shards are not those of this index"
        raise WeightsError(f"{index}: it and its shards differ in {', '.join(wrong[:5])}", hint=hint)
    return Content(path, contents[0].container, tensors, (), config, processor)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that must hold an object.

    Args:
        path: of a config.

    Returns:
        The object.

    Raises:
        WeightsError: for anything else, or a file too large to be a config.
    """
    try:
        if path.stat().st_size > LARGEST_JSON:
            raise WeightsError(f"{path}: {path.stat().st_size:,} bytes are too many for a config")
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not readable as JSON ({error})", hint="it is truncated or damaged") from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: holds no JSON object", hint="it is damaged, or of another kind")
    return content
