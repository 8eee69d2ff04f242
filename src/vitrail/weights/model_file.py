"""vitrail's model file: one `.safetensors` that any reader opens and that says everything about itself.

The metadata key "vitrail" holds JSON: format, architecture, classes, spec, calibration, training, data, and two sha256:
of the tensors and of the rest of the record.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor, nn

from vitrail import __version__
from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError, WeightsError
from vitrail.core.files import sha256, write_atomically
from vitrail.data.spec import ImageSpec
from vitrail.models.blank import blank_model
from vitrail.models.config import ViTConfig
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.calibration import Calibration
from vitrail.weights.tensor_file import as_bytes, read_metadata, read_tensors, tensor_file

FORMAT = 1
UNNAMED = "unnamed_classes"
"""Key of `training` in a record whose classes are numbers because the weights did not name them."""


@dataclass(frozen=True)
class ModelRecord:
    """Hold what a model file says beside its tensors.

    Args:
        config: the architecture.
        classes: names, in the order of the logits.
        spec: the exact preprocessing.
        temperature: gaps between logits are divided by it before softmax; 1 until calibrated.
        training: how it was trained: recipe, seed, steps, figures, versions.
        data: what it was trained on: reference, sizes of splits, fingerprint, which splits were made by seed.
        risk: on validation images: a falling probability, the answers given from it on, how many of these are wrong;
            empty until calibrated.
        exponent: those gaps are then raised to it, see `Calibration`; 1 for a temperature alone.
    """

    config: ViTConfig
    classes: tuple[str, ...]
    spec: ImageSpec
    temperature: float = 1.0
    training: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    risk: tuple[tuple[float, int, int], ...] = ()
    exponent: float = 1.0

    @property
    def calibration(self) -> Calibration:
        """What logits go through before softmax."""
        return Calibration(self.temperature, self.exponent)

    @property
    def calibrated(self) -> bool:
        """Whether probabilities were made right on validation images."""
        return bool(self.risk) or self.calibration.changes

    @property
    def names_classes(self) -> bool:
        """Whether the classes have names, and are not just counted."""
        return not self.training.get(UNNAMED, False)


def tensors_sha256(tensors: dict[str, Tensor]) -> str:
    """Hash tensors: for each name in sorted order its name, type, shape and bytes.

    Args:
        tensors: on any device.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{list(tensor.shape)}|".encode())
        digest.update(as_bytes(tensor))
    return digest.hexdigest()


def save_model(path: Path, model: nn.Module, record: ModelRecord) -> None:
    """Write a model file.

    Args:
        path: final name; an older file stays whole until the new one is.
        model: its state dict is written.
        record: what the file says about it.

    Raises:
        ConfigError: if the architecture has a custom part that has no name.
        StorageError: if the disk refuses.
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    content: dict[str, Any] = {
        "format": FORMAT,
        "vitrail": __version__,
        "architecture": to_dict(record.config),
        "classes": list(record.classes),
        "spec": to_dict(record.spec),
        "calibration": {**asdict(record.calibration), "risk": [list(row) for row in record.risk]},
        "training": record.training,
        "data": record.data,
    }
    content |= {"sha256": tensors_sha256(tensors), "record_sha256": _record_sha256(content)}
    write_atomically(path, tensor_file(tensors, {"vitrail": json.dumps(content)}))


def load_model(path: Path) -> tuple[VisionTransformer, ModelRecord]:
    """Read a model file and verify it.

    Args:
        path: a `.safetensors` written by `save_model`.

    Returns:
        The model on the CPU in evaluation mode, and its record.

    Raises:
        WeightsError: if the file is missing, truncated, damaged, of another kind, or from a newer vitrail.
    """
    content, tensors = _read(path)
    try:
        record = ModelRecord(
            config=from_dict(ViTConfig, content["architecture"]),
            classes=tuple(content["classes"]),
            spec=from_dict(ImageSpec, content["spec"]),
            temperature=content["calibration"]["temperature"],
            exponent=content["calibration"].get("exponent", 1.0),
            training=content["training"],
            data=content["data"],
            risk=tuple((float(one), int(given), int(wrong)) for one, given, wrong in _risk(content["calibration"])),
        )
        model = blank_model(record.config)
        exact = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
        model.load_state_dict(exact, assign=True)
    except (ConfigError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path}: its record and its tensors do not fit together: {error}", hint="the file was edited or damaged"
        ) from error
    return model, record


def _risk(calibration: dict[str, Any]) -> list[list[Any]]:
    """Find what files have that were written since risk is recorded."""
    return list(calibration.get("risk", ()))


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        text = read_metadata(path).get("vitrail")
        if text is None:
            raise WeightsError(
                f"{path}: a safetensors file, but not one of vitrail's (it has no record of classes and preprocessing)",
                hint="give a model.safetensors or a run folder that `vitrail fit` wrote",
            )
        tensors = read_tensors(path)
    except FileNotFoundError:
        raise WeightsError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"{path}: not a readable model file ({error})", hint="it is truncated, damaged, or of another kind"
        ) from error
    try:
        content: dict[str, Any] = json.loads(text)
        if content["format"] > FORMAT:
            raise WeightsError(
                f"{path}: written by vitrail {content['vitrail']}, format {content['format']}; this one reads {FORMAT}",
                hint="upgrade vitrail",
            )
        expected = {key: content.pop(key) for key in ("record_sha256", "sha256")}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(f"{path}: its record cannot be read ({error!r})", hint="the file is damaged") from error
    if tensors_sha256(tensors) != expected["sha256"] or _record_sha256(content) != expected["record_sha256"]:
        raise WeightsError(
            f"{path}: its content does not match the sha256 stored in it",
            hint="the file was damaged or altered; copy it again from where it came",
        )
    return content, tensors


def _record_sha256(content: dict[str, Any]) -> str:
    """Hash the record as it reads back: keys as text, in their order."""
    return sha256(json.dumps(json.loads(json.dumps(content)), sort_keys=True).encode())
