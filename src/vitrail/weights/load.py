"""From a weight file or folder of any format to a model: nothing missing, nothing unexplained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.blank import blank_model
from vitrail.models.config import ViTConfig
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.content import Content, read_content
from vitrail.weights.formats import FORMATS, Format, Reading
from vitrail.weights.hub import provenance
from vitrail.weights.infer import check_variant, infer_config
from vitrail.weights.model_file import UNNAMED, ModelRecord, load_model
from vitrail.weights.preprocessing import Preprocessing
from vitrail.weights.report import Report
from vitrail.weights.tensor_file import read_metadata
from vitrail.weights.unsupported import lacking_part

MOST_NAMED = 6
"""Names listed in an error."""


@dataclass(frozen=True)
class Loaded:
    """Hold what was read.

    Args:
        model: on the CPU, in evaluation mode.
        record: classes, preprocessing and the like.
        report: what became of every tensor.
    """

    model: VisionTransformer
    record: ModelRecord
    report: Report


def load_weights(path: Path, variant: str | None = None, known: Mapping[str, Any] = MappingProxyType({})) -> Loaded:
    """Read a model file of any format of `FORMATS`; the content says which.

    Args:
        path: a file, or a folder with `config.json`.
        variant: what it is ("S/16", "deit_small_patch16_224"), for files that do not say how many heads there are.
        known: flat fields of the config that hold where the file says nothing, such as num_heads.

    Returns:
        The model, its record and the report.

    Raises:
        WeightsError: if it is of no known format, a tensor is missing, unexplained or of another shape, or the weights
            are not those of `variant`.
        ConfigError: if there is no such variant.
    """
    if path.is_file() and is_own(path):
        model, record = load_model(path)
        if variant is not None:
            check_variant(_shape(record.config), variant)
        return Loaded(model, record, Report("vitrail", tuple(model.state_dict())))
    content = read_content(path)
    try:
        row = detect(content)
        reading = row.read(content, variant)
        reading = replace(reading, fields={**known, **reading.fields})
        return _build(content, row, reading, variant)
    except WeightsError as error:
        told = error.message if error.message.startswith(str(path)) else f"{path}: {error.message}"
        raise WeightsError(told, error.hint) from error


def _shape(config: ViTConfig) -> dict[str, Any]:
    """List what a variant settles."""
    return {
        "embed_dim": config.embed_dim, "depth": config.depth, "patch_size": config.patch_size,
        "num_heads": config.block.num_heads, "mlp_ratio": config.block.mlp_ratio, "distilled": config.tokens.distilled,
    }  # fmt: skip


def is_own(path: Path) -> bool:
    """Say whether a file is vitrail's model file, whole or not.

    Args:
        path: of a file.

    Returns:
        True if its header holds vitrail's record.
    """
    try:
        return "vitrail" in read_metadata(path)
    except (SafetensorError, OSError):
        return False


def detect(content: Content) -> Format:
    """Find the format of a content by its names.

    Args:
        content: what was read.

    Returns:
        Row of `FORMATS`.

    Raises:
        WeightsError: if it is none, naming the part of another family that vitrail lacks, if there is one.
    """
    lacking = lacking_part(content.tensors)
    found = next((row for row in FORMATS.values() if row.matches(content)), None)
    if lacking is not None and (found is None or "model_type" not in content.config):
        part, name = lacking
        hint = "read are ViT, DeiT, MAE, DINO to DINOv3, and the vision towers of CLIP and SigLIP"
        raise WeightsError(f"{content.path}: has {part}, which vitrail does not have yet ({name})", hint=hint)
    if found is None:
        names = _some(list(content.tensors)) or "no tensors"
        kinds = ", ".join(row.what for row in FORMATS.values())
        raise WeightsError(
            f"{content.path}: weights of no known format ({names})",
            hint=f"known: {kinds}; or train one with `vitrail fit`, which writes vitrail's model file",
        )
    return found


def _build(content: Content, row: Format, reading: Reading, variant: str | None) -> Loaded:
    if reading.unknown:
        raise WeightsError(
            f"{len(reading.unknown)} tensors that format {row.name} does not explain: {_some(reading.unknown)}",
            hint="they belong to a model that vitrail does not have, or to another format",
        )
    state = {name: _as_float(name, value) for name, value in reading.state.items()}
    config, assumed = infer_config(
        state, reading.fields, variant, {"resize": reading.resize or row.resize, **reading.assumed}
    )
    notes = [*reading.notes, *assumed]
    model = blank_model(config)
    _check(state, model.state_dict())
    model.load_state_dict(state, assign=True)
    classes = reading.classes
    if classes is None:
        classes = tuple(str(index) for index in range(config.num_classes))
        notes += ["the classes have no names in it: numbers stand for them"] if classes else ["it has no classes"]
    size = config.image_size
    if reading.size is not None and reading.size != size:
        if config.tokens.dynamic:
            size = reading.size
        else:
            notes.append(f"its processor makes images of {reading.size}, the model takes {size}")
    spec = (reading.preprocessing or Preprocessing()).spec(size, config.in_chans)
    report = Report(row.name, tuple(state), reading.left, {}, tuple(notes))
    training: dict[str, Any] = {"weights": {"format": row.name, **provenance(content.path)}}
    if reading.classes is None:
        training[UNNAMED] = True
    record = ModelRecord(config, classes, spec, 1.0, training)
    return Loaded(model, record, report)


def _check(state: dict[str, Tensor], expected: dict[str, Any]) -> None:
    """Refuse a state dict that is not exactly the model's."""
    missing = [name for name in expected if name not in state]
    if missing:
        raise WeightsError(f"{len(missing)} tensors are missing: {_some(missing)}", hint="the file is not whole")
    extra = [name for name in state if name not in expected]
    if extra:
        hint = "they do not go together in one model that vitrail has"
        raise WeightsError(f"{len(extra)} tensors beside the model: {_some(extra)}", hint=hint)
    wrong = [
        f"{name} {tuple(state[name].shape)} (not {tuple(value.shape)})"
        for name, value in expected.items()
        if state[name].shape != value.shape
    ]
    if wrong:
        raise WeightsError(f"{len(wrong)} tensors have another shape: {_some(wrong)}", hint="the file mixes models")


def _as_float(name: str, value: Tensor) -> Tensor:
    if value.ndim == 0:
        raise WeightsError(f"{name} is a single number, not a weight")
    if not value.is_floating_point():
        raise WeightsError(f"{name} is of type {value.dtype}, not of floating-point numbers")
    return value.detach().to(torch.float32).contiguous()


def _some(names: Any) -> str:
    shown = ", ".join(list(names)[:MOST_NAMED])
    return shown + (f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else "")
