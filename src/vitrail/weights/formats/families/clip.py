"""The vision tower of transformers' CLIP."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import Tensor, zeros

from vitrail.core.errors import WeightsError
from vitrail.models.config import ViTConfig
from vitrail.weights.formats.families.base import BLOCK, Family
from vitrail.weights.key_map import KeyMap, Row, joined, named, pair

LAYER = "encoder.layers.{i}"
PROJECTION = "visual_projection.weight"
BLOCKS: tuple[Row, ...] = (
    *(row for n in (1, 2) for row in pair(f"{BLOCK}.norm{n}", f"{LAYER}.layer_norm{n}")),
    *joined(f"{BLOCK}.attn.qkv", *(f"{LAYER}.self_attn.{part}_proj" for part in "qkv")),
    *pair(f"{BLOCK}.attn.proj", f"{LAYER}.self_attn.out_proj"),
    *(row for n in (1, 2) for row in pair(f"{BLOCK}.mlp.fc{n}", f"{LAYER}.mlp.fc{n}")),
    named("patch_embed.proj.weight", "embeddings.patch_embedding.weight"),
    named("pos_embed", "embeddings.position_embedding.weight", layout="table"),
    *pair("norm", "post_layernorm"),
)
"""Names that SigLIP has too."""

CLIP_KEYS = KeyMap(
    [
        *BLOCKS,
        named("cls_token", "embeddings.class_embedding", layout="token"),
        *pair("norm_pre", "pre_layrnorm"),
        named("head.weight", PROJECTION),
        named("head.bias", "visual_projection.bias"),
    ]
)
TEXT = "of the text tower, or of what joins the two"


class Clip(Family):
    """Hold CLIPVisionModel, CLIPVisionModelWithProjection, and the vision tower in a whole CLIP.

    The projection is a head of ours with a bias of zeros.
    """

    kinds: ClassVar[tuple[str, ...]] = ("clip_vision_model", "clip")
    prefix: ClassVar[str] = "vision_model."
    processor: ClassVar[str] = "clip"
    defaults: ClassVar[dict[str, Any]] = {
        "image_size": 224, "num_attention_heads": 12, "layer_norm_eps": 1e-5, "hidden_act": "quick_gelu",
    }  # fmt: skip
    left: ClassVar[dict[str, str]] = {
        r"(text_model|text_projection|logit_scale)(\..*)?": TEXT,
        r"(.*\.)?position_ids": "numbers 0, 1, 2 …",
    }

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return CLIP_KEYS

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Add the bias that a projection has not."""
        if "classifier.weight" in tensors:
            told = (
                "CLIPForImageClassification reads the mean of patches that were not normalised, which vitrail has not"
            )
            raise WeightsError(told, hint="its body alone is read: save it as CLIPVisionModel")
        if PROJECTION in tensors:
            bias = zeros(len(tensors[PROJECTION]), dtype=tensors[PROJECTION].dtype)
            tensors = {**tensors, "visual_projection.bias": bias}
        return tensors, {}

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Drop the projection's bias, which must be zero; put the body under its name."""
        bias = tensors.pop("visual_projection.bias", None)
        lost = [] if bias is None or not bias.any() else ["head.bias"]
        return {name if name == PROJECTION else self.prefix + name: value for name, value in tensors.items()}, lost

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return "CLIPVisionModelWithProjection" if config.num_classes else "CLIPVisionModel"

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Add the width of the projection."""
        return {**super().config(config), "projection_dim": config.num_classes or 512}
