"""The `vit_*` of torchvision: `.pth` files with `conv_proj`, `encoder.layers.encoder_layer_N`, `heads.head`."""

from __future__ import annotations

from typing import ClassVar

from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading
from vitrail.weights.key_map import KeyMap, named, pair
from vitrail.weights.preprocessing import PREPROCESSING

LAYER, BLOCK = "encoder.layers.encoder_layer_{i}", "blocks.{i}"
KEYS = KeyMap(
    [
        *pair("patch_embed.proj", "conv_proj"),
        named("cls_token", "class_token"),
        named("pos_embed", "encoder.pos_embedding"),
        *pair(f"{BLOCK}.norm1", f"{LAYER}.ln_1"),
        named(f"{BLOCK}.attn.qkv.weight", f"{LAYER}.self_attention.in_proj_weight"),
        named(f"{BLOCK}.attn.qkv.bias", f"{LAYER}.self_attention.in_proj_bias"),
        *pair(f"{BLOCK}.attn.proj", f"{LAYER}.self_attention.out_proj"),
        *pair(f"{BLOCK}.norm2", f"{LAYER}.ln_2"),
        *pair(f"{BLOCK}.mlp.fc1", f"{LAYER}.mlp.0"),
        *pair(f"{BLOCK}.mlp.fc2", f"{LAYER}.mlp.3"),
        *pair(f"{BLOCK}.mlp.fc1", f"{LAYER}.mlp.linear_1"),
        *pair(f"{BLOCK}.mlp.fc2", f"{LAYER}.mlp.linear_2"),
        *pair("norm", "encoder.ln"),
        *pair("pre_logits.fc", "heads.pre_logits"),
        *pair("head", "heads.head"),
    ]
)
"""`mlp.linear_1` and `mlp.linear_2` are the names of the files that torchvision first published."""


class Torchvision(Format):
    """Read torchvision's weights."""

    name: ClassVar[str] = "torchvision"
    what: ClassVar[str] = "torchvision's state dict"
    resize: ClassVar[str] = "torchvision"

    def matches(self, content: Content) -> bool:
        """Look for torchvision's names of the patch projection and of the positions."""
        return {"conv_proj.weight", "encoder.pos_embedding"} <= content.tensors.keys()

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename."""
        state, unknown = KEYS.to_ours(content.tensors)
        note = "preprocessing of torchvision's IMAGENET1K_V1 weights is assumed: the file does not say"
        return Reading(
            state, preprocessing=PREPROCESSING["torchvision"], unknown=tuple(unknown), notes=(note,)
        )  # fmt: skip
