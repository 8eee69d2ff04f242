"""The DINOv3 ViT of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.config import ViTConfig
from vitrail.weights.formats.families.base import BLOCK, Family
from vitrail.weights.key_map import KeyMap, joined, named, pair, with_zero_key_bias

REGISTERS, MASK = "embeddings.register_tokens", "embeddings.mask_token"
LAYER = "layer.{i}"


def _keys(gated: bool) -> KeyMap:
    parts = ("gate_proj", "up_proj") if gated else ("up_proj",)
    return KeyMap(
        [
            *pair("patch_embed.proj", "embeddings.patch_embeddings"),
            named("cls_token", "embeddings.cls_token"),
            named("reg_token", REGISTERS),
            *joined(f"{BLOCK}.attn.qkv", *(f"{LAYER}.attention.{part}_proj" for part in "qkv")),
            *pair(f"{BLOCK}.attn.proj", f"{LAYER}.attention.o_proj"),
            *(row for part in ("norm1", "norm2") for row in pair(f"{BLOCK}.{part}", f"{LAYER}.{part}")),
            *joined(f"{BLOCK}.mlp.fc1", *(f"{LAYER}.mlp.{part}" for part in parts)),
            *pair(f"{BLOCK}.mlp.fc2", f"{LAYER}.mlp.down_proj"),
            *(named(f"{BLOCK}.ls{n}.gamma", f"{LAYER}.layer_scale{n}.lambda1") for n in (1, 2)),
            *pair("norm", "norm"),
        ]
    )


PLAIN_KEYS, GATED_KEYS = _keys(gated=False), _keys(gated=True)


class Dinov3(Family):
    """Hold DINOv3ViTModel. Its keys have no bias; ours is zero there."""

    kinds: ClassVar[tuple[str, ...]] = ("dinov3_vit",)
    processor: ClassVar[str] = "dinov3"
    defaults: ClassVar[dict[str, Any]] = {
        "image_size": 224, "num_attention_heads": 6, "layer_norm_eps": 1e-5, "hidden_act": "gelu",
        "layerscale_value": 1.0, "rope_theta": 100.0, "use_gated_mlp": False, "key_bias": False,
        "num_register_tokens": 0,
    }  # fmt: skip
    left: ClassVar[dict[str, str]] = {r"(.*\.)?mask_token": "stands for hidden patches in pre-training"}

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names, those of the gated MLP in the largest."""
        return GATED_KEYS if config["use_gated_mlp"] else PLAIN_KEYS

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Take the encoder out of `model.`, as transformers 5 has it in memory; add the keys' bias of zeros."""
        tensors = {name.removeprefix("model."): value for name, value in tensors.items()}
        if REGISTERS in tensors and not tensors[REGISTERS].numel():
            del tensors[REGISTERS]
        if not config["key_bias"]:
            tensors = with_zero_key_bias(tensors, "q_proj.bias", "k_proj.bias")
        return tensors, {}

    def may_lack(self, config: dict[str, Any], state: Mapping[str, Tensor]) -> str:
        """Do without registers where there are none."""
        return self.optional if config["num_register_tokens"] else rf"{self.optional}|reg_token"

    def fields(self, config: dict[str, Any]) -> dict[str, Any]:
        """Read layer scale and the base of the angles; images of any size are taken."""
        if config["use_gated_mlp"] and config["hidden_act"] not in ("silu", "swish"):
            raise WeightsError(f"a gated MLP with {config['hidden_act']}; vitrail's gate is SiLU")
        return {
            **super().fields({**config, "hidden_act": "gelu" if config["use_gated_mlp"] else config["hidden_act"]}),
            "layer_scale": float(config["layerscale_value"]),
            "position": {"kind": "rope_2d", "temperature": float(config["rope_theta"])},
            "dynamic": True,
        }

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Drop biases of keys that are zero; add the tokens that transformers expects."""
        biases = [name for name in tensors if name.endswith("k_proj.bias")]
        if not any(bool(tensors[name].any()) for name in biases):
            tensors = {name: value for name, value in tensors.items() if name not in biases}
        nothing = torch.zeros(1, 0, config.embed_dim)
        return {REGISTERS: nothing, **tensors, MASK: torch.zeros(1, 1, config.embed_dim)}, []

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return "DINOv3ViTModel"

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Add what only these have."""
        gated = config.block.mlp == "swiglu"
        written = super().config(config)
        return {
            **written,
            "hidden_act": "silu" if gated else written["hidden_act"],
            "use_gated_mlp": gated,
            "layerscale_value": config.block.layer_scale,
            "num_register_tokens": config.tokens.registers,
            "rope_theta": getattr(config.position, "temperature", 100.0),
            "query_bias": config.block.qkv_bias,
            "value_bias": config.block.qkv_bias,
            "key_bias": False,
        }
