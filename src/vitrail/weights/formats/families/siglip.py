"""The vision tower of transformers' SigLIP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from vitrail.models.config import ViTConfig
from vitrail.weights.formats.families.base import Family
from vitrail.weights.formats.families.clip import BLOCKS, TEXT
from vitrail.weights.key_map import KeyMap, Row, named, pair

QUERY_KEY_VALUE = ("attn_pool.q", "attn_pool.kv", "attn_pool.kv")
SIGLIP_KEYS = KeyMap(
    [
        *BLOCKS,
        named("patch_embed.proj.bias", "embeddings.patch_embedding.bias"),
        named("attn_pool.latent", "head.probe"),
        *(
            Row(tuple(f"{part}.{kind}" for part in QUERY_KEY_VALUE), (f"head.attention.in_proj_{kind}",))
            for kind in ("weight", "bias")
        ),
        *pair("attn_pool.proj", "head.attention.out_proj"),
        *pair("attn_pool.norm", "head.layernorm"),
        *(row for n in (1, 2) for row in pair(f"attn_pool.mlp.fc{n}", f"head.mlp.fc{n}")),
        *pair("head", "classifier"),
    ]
)


class Siglip(Family):
    """Hold SiglipVisionModel, the vision tower in a whole SigLIP, and SiglipForImageClassification."""

    kinds: ClassVar[tuple[str, ...]] = ("siglip_vision_model", "siglip")
    prefix: ClassVar[str] = "vision_model."
    processor: ClassVar[str] = "siglip"
    defaults: ClassVar[dict[str, Any]] = {
        "image_size": 224, "num_attention_heads": 12, "layer_norm_eps": 1e-6, "hidden_act": "gelu_pytorch_tanh",
        "vision_use_head": True,
    }  # fmt: skip
    placed: ClassVar[int] = 0
    left: ClassVar[dict[str, str]] = {
        r"(text_model|logit_scale|logit_bias)(\..*)?": TEXT,
        r"(.*\.)?position_ids": "numbers 0, 1, 2 …",
    }

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return SIGLIP_KEYS

    def may_lack(self, config: dict[str, Any], state: Mapping[str, Tensor]) -> str:
        """Do without attention pooling where config or classifier say so."""
        pooled = config["vision_use_head"] and "head.weight" not in state
        return self.optional if pooled else rf"{self.optional}|attn_pool\..*"

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Leave attention pooling that the classifier does not pass through."""
        classified = "classifier.weight" in tensors
        why = "the classifier reads the mean of the patches"
        left = {name: why for name in tensors if classified and name.startswith("head.")}
        return {name: value for name, value in tensors.items() if name not in left}, left

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Put the body under its name; classes are written nowhere."""
        lost = ["head"] if config.num_classes else []
        return {self.prefix + name: value for name, value in tensors.items()}, lost

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return "SiglipVisionModel"

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Say whether there is attention pooling."""
        return {**super().config(config), "vision_use_head": config.pool.kind == "map"}
