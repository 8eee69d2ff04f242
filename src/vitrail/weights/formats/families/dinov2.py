"""The DINOv2 of transformers, with registers and without."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.config import ViTConfig
from vitrail.weights.formats.families.base import BLOCK, Family
from vitrail.weights.formats.families.vit import OLD, attention_rows
from vitrail.weights.key_map import KeyMap, joined, named, pair

MASK = "embeddings.mask_token"
DINOV2_KEYS = KeyMap(
    [
        *pair("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        named("cls_token", "embeddings.cls_token"),
        named("pos_embed", "embeddings.position_embeddings"),
        *attention_rows(OLD, OLD),
        *(row for part in ("norm1", "norm2", "mlp.fc1", "mlp.fc2") for row in pair(f"{BLOCK}.{part}", f"{OLD}.{part}")),
        *(named(f"{BLOCK}.ls{n}.gamma", f"{OLD}.layer_scale{n}.lambda1") for n in (1, 2)),
        *pair("norm", "layernorm"),
    ]
)
GATED_KEYS = KeyMap(
    [
        *(row for row in DINOV2_KEYS.rows if ".mlp." not in row.ours[0]),
        *pair(f"{BLOCK}.mlp.fc1", f"{OLD}.mlp.weights_in"),
        *joined(f"{BLOCK}.mlp.fc1", f"{OLD}.mlp.gate_proj", f"{OLD}.mlp.up_proj"),
        *pair(f"{BLOCK}.mlp.fc2", f"{OLD}.mlp.weights_out"),
        *pair(f"{BLOCK}.mlp.fc2", f"{OLD}.mlp.down_proj"),
    ]
)


def _written_ratio(config: ViTConfig) -> int:
    """Undo what transformers does to the ratio of a gated MLP: it takes two thirds of the width, in eights."""
    return max(1, round((1.5 if config.block.mlp == "swiglu" else 1.0) * config.block.mlp_ratio))


def _read_width(config: ViTConfig) -> int:
    width = config.embed_dim * _written_ratio(config)
    return (int(width * 2 / 3) + 7) // 8 * 8 if config.block.mlp == "swiglu" else width


class Dinov2(Family):
    """Hold Dinov2Model."""

    kinds: ClassVar[tuple[str, ...]] = ("dinov2",)
    prefix: ClassVar[str] = "dinov2."
    processor: ClassVar[str] = "dinov2"
    defaults: ClassVar[dict[str, Any]] = {
        "image_size": 224, "num_attention_heads": 12, "layer_norm_eps": 1e-6, "hidden_act": "gelu",
        "layerscale_value": 1.0, "use_swiglu_ffn": False,
    }  # fmt: skip
    left: ClassVar[dict[str, str]] = {r"(.*\.)?mask_token": "stands for hidden patches in pre-training"}

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names, those of the gated MLP in the giant."""
        return GATED_KEYS if config["use_swiglu_ffn"] else DINOV2_KEYS

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Refuse a classifier."""
        if "classifier.weight" in tensors:
            told = "its classifier reads the class token beside the mean of the patches, a pooling that vitrail has not"
            raise WeightsError(told, hint="its body alone is read: save it as Dinov2Model or Dinov2WithRegistersModel")
        return tensors, {}

    def fields(self, config: dict[str, Any]) -> dict[str, Any]:
        """Read layer scale; images of any size are taken."""
        return {**super().fields(config), "layer_scale": float(config["layerscale_value"]), "dynamic": True}

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Leave the names of the body alone; the MLP must be as wide as a whole ratio makes it there."""
        width = int(config.embed_dim * config.block.mlp_ratio)
        return tensors, [f"an MLP {width} wide"] if width != _read_width(config) else []

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return "Dinov2Model"

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Add what only these have; a mask token is not written."""
        return {
            **super().config(config),
            "mlp_ratio": _written_ratio(config),
            "use_swiglu_ffn": config.block.mlp == "swiglu",
            "layerscale_value": config.block.layer_scale,
            "qkv_bias": config.block.qkv_bias,
            "use_mask_token": False,
        }


class Dinov2WithRegisters(Dinov2):
    """Hold Dinov2WithRegistersModel."""

    kinds: ClassVar[tuple[str, ...]] = ("dinov2_with_registers",)
    prefix: ClassVar[str] = "dinov2_with_registers."
    resize: ClassVar[str] = "dinov2_registers"

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Add the registers."""
        return KeyMap([*super().keys(config).rows, named("reg_token", "embeddings.register_tokens")])

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Add the mask token that transformers expects, of zeros."""
        tensors, lost = super().finish(tensors, config)
        return {**tensors, MASK: torch.zeros(1, config.embed_dim)}, lost

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return "Dinov2WithRegistersModel"

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Add the number of registers."""
        return {**super().config(config), "num_register_tokens": config.tokens.registers}
