"""The `.pth` files of DeiT, MAE and DINO to DINOv3, as their authors write them: timm's names and some of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading
from vitrail.weights.formats.timm import BLOCK, KEYS, SAME, conv_patches
from vitrail.weights.key_map import KeyMap, joined, named, pair
from vitrail.weights.preprocessing import PREPROCESSING, timm_preprocessing

PATCHES, POSITIONS, MASK, SCALE = "patch_embed.proj.weight", "pos_embed", "mask_token", "blocks.0.ls1.gamma"
PERIODS = "rope_embed.periods"
TRAINING = (("teacher",), ("student",))
BARE = ((), *TRAINING)
"""Keys around the tensors of DINO and DINOv2: none as published, two in training checkpoints."""
BODY = "backbone."
"""What stands before the names of the body in training checkpoints, beside those of the heads."""
CHUNK = r"^blocks\.\d+\.(\d+)\."
"""DINOv2 trains large models in chunks of blocks; a block keeps its number in the whole."""
MASK_LEFT = {r"mask_token": "stands for hidden patches in pre-training"}


class Author(Format):
    """Read one kind of `.pth`.

    `keys` are its names, `left` says of which names it has and no model of ours needs, `preprocessing` is a row of
    `PREPROCESSING`, `size` that of its images where models take any, `assumed` what its models have in common.
    """

    keys: ClassVar[KeyMap] = KEYS
    left: ClassVar[Mapping[str, str]] = {}
    preprocessing: ClassVar[str] = "deit"
    assumed: ClassVar[Mapping[str, Any]] = {}
    size: ClassVar[tuple[int, int] | None] = None

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; leave what only pre-training needs."""
        body, left = _body(content)
        kept = {}
        for name, value in body.items():
            why = next((why for pattern, why in self.left.items() if re.fullmatch(pattern, name)), None)
            if why is None:
                kept[name] = value
            else:
                left[name] = why
        state, unknown = self.keys.to_ours(kept)
        return Reading(
            conv_patches(state), assumed=dict(self.assumed), preprocessing=PREPROCESSING[self.preprocessing],
            size=self.size, left=left, unknown=tuple(unknown),
        )  # fmt: skip


def _body(content: Content) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Take the body out of a training checkpoint; say why the rest is left."""
    tensors = content.tensors
    if content.wrapper[:1] not in TRAINING:
        return dict(tensors), {}
    body = {
        re.sub(CHUNK, r"blocks.\1.", name.removeprefix(BODY)): value
        for name, value in tensors.items()
        if name.startswith(BODY)
    }
    why = "a projection head, which only pre-training needs"
    return body, {name: why for name in tensors if not name.startswith(BODY)}


def _is_pickled(content: Content, *wrappers: tuple[str, ...], positions: str = POSITIONS) -> bool:
    if content.container != "pickle" or content.config or content.wrapper[:1] not in wrappers:
        return False
    return {PATCHES, positions} <= _body(content)[0].keys()


class Deit(Author):
    """Read DeiT and DeiT III, and MAE after fine-tuning."""

    name: ClassVar[str] = "deit"
    what: ClassVar[str] = "a .pth of facebookresearch/deit"
    resize: ClassVar[str] = "deit"

    def matches(self, content: Content) -> bool:
        """Look for timm's names under the key "model", without those of pre-training."""
        return _is_pickled(content, ("model",)) and MASK not in content.tensors

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; DeiT III, told by its layer scale, is shown the whole image."""
        reading = super().read(content, variant)
        return replace(reading, preprocessing=PREPROCESSING["deit3"]) if SCALE in reading.state else reading


class Mae(Author):
    """Read MAE's encoder before fine-tuning; its decoder is left."""

    name: ClassVar[str] = "mae"
    what: ClassVar[str] = "a .pth of facebookresearch/mae"
    resize: ClassVar[str] = "mae"
    left: ClassVar[Mapping[str, str]] = {r"decoder_.*": "the decoder, which only pre-training needs", **MASK_LEFT}
    preprocessing: ClassVar[str] = "mae"

    def matches(self, content: Content) -> bool:
        """Look for the mask token under the key "model"."""
        return _is_pickled(content, ("model",)) and MASK in content.tensors


class Dino(Author):
    """Read DINO's bodies, published without a head and without any key around them, and its training checkpoints."""

    name: ClassVar[str] = "dino"
    what: ClassVar[str] = "a .pth of facebookresearch/dino"
    resize: ClassVar[str] = "dino"

    def matches(self, content: Content) -> bool:
        """Look for a pickled plain ViT without a head."""
        others = {MASK, SCALE, "head.weight", "fc_norm.weight", "norm_pre.weight", "reg_token"}
        names = _body(content)[0].keys()
        return _is_pickled(content, *BARE) and "cls_token" in names and not others & names

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; of bodies without any key around them, a variant says that they are timm's instead."""
        reading = super().read(content, variant)
        if content.wrapper:
            return reading
        if variant is not None:
            chosen, _ = timm_preprocessing(reading.state, variant)
            return replace(reading, preprocessing=chosen, resize="timm")
        note = "a pickled ViT without a head: DINO's preprocessing is assumed; if it is of timm, give the variant"
        return replace(reading, notes=(note,))


class Dinov2(Author):
    """Read DINOv2's bodies, with registers or without, published or in its training checkpoints."""

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
    left: ClassVar[Mapping[str, str]] = MASK_LEFT
    size: ClassVar[tuple[int, int] | None] = (224, 224)
    assumed: ClassVar[Mapping[str, Any]] = {"dynamic": True}

    def matches(self, content: Content) -> bool:
        """Look for the mask token beside layer scale."""
        return _is_pickled(content, *BARE) and {MASK, SCALE} <= _body(content)[0].keys()

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; positions of a model with registers are carried by another rule."""
        reading = super().read(content, variant)
        return replace(reading, resize="dinov2_registers") if "reg_token" in reading.state else reading


class Dinov3(Author):
    """Read DINOv3's bodies, published or in its training checkpoints."""

    name: ClassVar[str] = "dinov3"
    what: ClassVar[str] = "a .pth of facebookresearch/dinov3"
    keys: ClassVar[KeyMap] = KeyMap(
        [
            named("reg_token", "storage_tokens"),
            *SAME,
            *joined(f"{BLOCK}.mlp.fc1", f"{BLOCK}.mlp.w1", f"{BLOCK}.mlp.w2"),
            *pair(f"{BLOCK}.mlp.fc2", f"{BLOCK}.mlp.w3"),
        ]
    )
    left: ClassVar[Mapping[str, str]] = {
        **MASK_LEFT,
        r"local_cls_norm\..*": "normalises the class token of small crops in pre-training",
        r"blocks\.\d+\.attn\.qkv\.bias_mask": "says that keys have no bias, which is zero here",
        re.escape(PERIODS): "computed from the temperature, 100",
    }
    preprocessing: ClassVar[str] = "dinov3"
    assumed: ClassVar[Mapping[str, Any]] = {
        "position": {"kind": "rope_2d"}, "norm": {"kind": "layer_norm", "eps": 1e-5}, "img_size": 256, "dynamic": True,
    }  # fmt: skip

    def matches(self, content: Content) -> bool:
        """Look for the periods by which queries and keys are turned."""
        return _is_pickled(content, *BARE, positions=PERIODS)

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename; take the masked biases of keys for zero; refuse other periods than the published models'."""
        body, _ = _body(content)
        periods = body[PERIODS].float()
        expected = 100.0 ** (torch.arange(len(periods)) / len(periods))
        if not torch.allclose(periods, expected, rtol=0.01):
            raise WeightsError(f"{PERIODS} are not those of temperature 100", hint="they are of no published DINOv3")
        reading = super().read(content, variant)
        for name in [name for name in body if name.endswith("bias_mask")]:
            ours = name.removesuffix("_mask")
            queries, keys, values = reading.state[ours].chunk(3)
            reading.state[ours] = torch.cat([queries, torch.zeros_like(keys), values])
        return reading
