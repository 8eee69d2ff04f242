"""How two architectures differ in what they compute."""

from __future__ import annotations

from typing import Any

from vitrail.core.config import to_dict
from vitrail.models.config import ViTConfig

TRAINING_ONLY = ("init", "drop", "position.resize", "tokens.dynamic")
"""Fields, or beginnings of them, that change no output of a trained model at its own size."""

SMALL_EPS = 1e-6
"""LayerNorm's eps up to this are taken for one: the paper's code, timm and torchvision have it, transformers less."""


def _flatten(value: Any, prefix: str, flat: dict[str, Any]) -> None:
    for name, item in value.items():
        if isinstance(item, dict):
            _flatten(item, f"{prefix}{name}.", flat)
        else:
            flat[prefix + name] = item


def _computed(config: ViTConfig) -> dict[str, Any]:
    """Lay out flat what decides the outputs."""
    flat: dict[str, Any] = {}
    _flatten(to_dict(config), "", flat)
    flat["img_size"] = config.image_size
    flat["block.mlp_ratio"] = int(config.embed_dim * config.block.mlp_ratio)
    if flat.get("block.layer_scale") is not None:
        flat["block.layer_scale"] = "learned"
    if flat.get("block.norm.eps", 1.0) <= SMALL_EPS:
        flat["block.norm.eps"] = SMALL_EPS
    return {name: value for name, value in flat.items() if not name.startswith(TRAINING_ONLY)}


def differences(wanted: ViTConfig, found: ViTConfig) -> list[str]:
    """Name the fields in which two architectures differ, but for those that matter in training only.

    Args:
        wanted: one.
        found: the other.

    Returns:
        "field value" of the first, for each.
    """
    ours, theirs = _computed(wanted), _computed(found)
    nothing = object()
    return [f"{name} {value!r}" for name, value in ours.items() if theirs.get(name, nothing) != value]
