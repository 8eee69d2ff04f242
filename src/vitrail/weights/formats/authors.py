"""The `.pth` files that the authors of DeiT, MAE, DINO and DINOv2 published: timm's names, and some of their own."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading
from vitrail.weights.formats.timm import BLOCK, KEYS, SAME, conv_patches
from vitrail.weights.key_map import KeyMap, named, pair
from vitrail.weights.preprocessing import PREPROCESSING, timm_preprocessing

PATCHES, POSITIONS = "patch_embed.proj.weight", "pos_embed"


class Author(Format):
    """Read one kind of `.pth`.

    `keys` are its names, `left` says of which names it has and no model of ours needs, `preprocessing` is a row of
    `PREPROCESSING`, `size` that of its images where models take any, `assumed` what its models have in common.
    """

    keys: ClassVar[KeyMap] = KEYS
    left: ClassVar[dict[str, str]] = {}
    preprocessing: ClassVar[str] = "deit"
    assumed: ClassVar[dict[str, Any]] = {}
    size: ClassVar[tuple[int, int] | None] = None

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; leave what only pre-training needs."""
        left = {
            name: why
            for pattern, why in self.left.items()
            for name in content.tensors
            if re.fullmatch(pattern, name)
        }  # fmt: skip
        kept = {name: value for name, value in content.tensors.items() if name not in left}
        state, unknown = self.keys.to_ours(kept)
        preprocessing = PREPROCESSING[self.preprocessing]
        return Reading(
            conv_patches(state), assumed=dict(self.assumed), preprocessing=preprocessing, size=self.size,
            left=left,            unknown=tuple(unknown),
        )  # fmt: skip


def _is_pickled(content: Content, wrapper: tuple[str, ...]) -> bool:
    there = {PATCHES, POSITIONS} <= content.tensors.keys()
    return content.container == "pickle" and not content.config and content.wrapper[:1] == wrapper and there


class Deit(Author):
    """Read DeiT and DeiT III, and MAE after fine-tuning."""

    name: ClassVar[str] = "deit"
    what: ClassVar[str] = "a .pth of facebookresearch/deit"
    resize: ClassVar[str] = "deit"

    def matches(self, content: Content) -> bool:
        """Look for timm's names under the key "model", without those of pre-training."""
        return _is_pickled(content, ("model",)) and "mask_token" not in content.tensors


class Mae(Author):
    """Read MAE's encoder before fine-tuning; its decoder is left."""

    name: ClassVar[str] = "mae"
    what: ClassVar[str] = "a .pth of facebookresearch/mae"
    resize: ClassVar[str] = "mae"
    left: ClassVar[dict[str, str]] = {
        r"decoder_.*": "the decoder, which only pre-training needs",
        r"mask_token": "stands for hidden patches in pre-training",
    }

    def matches(self, content: Content) -> bool:
        """Look for the mask token under the key "model"."""
        return _is_pickled(content, ("model",)) and "mask_token" in content.tensors


class Dino(Author):
    """Read DINO's backbones: timm's names without a head and without any key around them."""

    name: ClassVar[str] = "dino"
    what: ClassVar[str] = "a .pth of facebookresearch/dino"
    resize: ClassVar[str] = "dino"

    def matches(self, content: Content) -> bool:
        """Look for a bare pickled plain ViT without a head."""
        names = {"mask_token", "head.weight", "fc_norm.weight", "norm_pre.weight", "blocks.0.ls1.gamma", "reg_token"}
        plain = "cls_token" in content.tensors and not names & content.tensors.keys()
        return _is_pickled(content, ()) and plain

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; a variant says that it is of timm instead."""
        reading = super().read(content, variant)
        if variant is not None:
            chosen, _ = timm_preprocessing(reading.state, variant)
            return Reading(reading.state, preprocessing=chosen, unknown=reading.unknown)
        note = "a pickled ViT without a head: DINO's preprocessing is assumed; if it is of timm, give the variant"
        return Reading(reading.state, preprocessing=reading.preprocessing, unknown=reading.unknown, notes=(note,))


class Dinov2(Author):
    """Read DINOv2's backbones, with registers or without."""

    name: ClassVar[str] = "dinov2"
    what: ClassVar[str] = "a .pth of facebookresearch/dinov2"
    resize: ClassVar[str] = "dinov2"
    keys: ClassVar[KeyMap] = KeyMap(
        [
            named("reg_token", "register_tokens"),
            *SAME,
            *pair(f"{BLOCK}.mlp.fc1", f"{BLOCK}.mlp.w12"),
            *pair(f"{BLOCK}.mlp.fc2", f"{BLOCK}.mlp.w3"),
        ]
    )
    left: ClassVar[dict[str, str]] = {r"mask_token": "stands for hidden patches in pre-training"}
    size: ClassVar[tuple[int, int] | None] = (224, 224)
    assumed: ClassVar[dict[str, Any]] = {"dynamic": True}

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; positions of a model with registers are carried by another rule."""
        rule = "dinov2_registers" if "register_tokens" in content.tensors else self.resize
        return replace(super().read(content, variant), resize=rule)

    def matches(self, content: Content) -> bool:
        """Look for the mask token beside layer scale, without any key around them."""
        return _is_pickled(content, ()) and {"mask_token", "blocks.0.ls1.gamma"} <= content.tensors.keys()
