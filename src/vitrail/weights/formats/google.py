"""Google's `.npz` checkpoints: the names of 2020 (vision_transformer) and those of big_vision."""

from __future__ import annotations

import functools
import io
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from vitrail.core.files import write_atomically
from vitrail.models.config import ViTConfig
from vitrail.nn.stem import ResNetStemConfig
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading, refuse
from vitrail.weights.formats.hybrid import BACKBONE, ROOTS, convolutions, norms
from vitrail.weights.key_map import KeyMap, Row, named
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import PREPROCESSING

IMAGE_TOWER = "params/img/"
PREFIXES = ("", "opt/target/", "params/", IMAGE_TOWER)
EMBEDDING = "embedding/kernel"
STAGES = {"block1/unit1/conv1/kernel"}
SCALE_BIAS = (("weight", "scale"), ("bias", "bias"))
STACKED = "Transformer/encoderblock/"
OLD_POSITIONS, NEW_POSITIONS = "Transformer/posembed_input/pos_embedding", "pos_embedding"


def _norm(ours: str, theirs: str) -> tuple[Row, ...]:
    return named(f"{ours}.weight", f"{theirs}/scale"), named(f"{ours}.bias", f"{theirs}/bias")


def _dense(ours: str, theirs: str) -> tuple[Row, ...]:
    return named(f"{ours}.weight", f"{theirs}/kernel", layout="in_out"), named(f"{ours}.bias", f"{theirs}/bias")


def _map_head() -> tuple[Row, ...]:
    head, pool = "MAPHead_0", "attn_pool"
    heads = f"{head}/MultiHeadDotProductAttention_0"
    return (
        named(f"{pool}.latent", f"{head}/probe"),
        named(f"{pool}.q.weight", f"{heads}/query/kernel", layout="in_heads"),
        named(f"{pool}.q.bias", f"{heads}/query/bias", layout="heads"),
        named(f"{pool}.kv.weight", f"{heads}/key/kernel", f"{heads}/value/kernel", layout="in_heads"),
        named(f"{pool}.kv.bias", f"{heads}/key/bias", f"{heads}/value/bias", layout="heads"),
        named(f"{pool}.proj.weight", f"{heads}/out/kernel", layout="heads_out"),
        named(f"{pool}.proj.bias", f"{heads}/out/bias"),
        *_norm(f"{pool}.norm", f"{head}/LayerNorm_0"),
        *_dense(f"{pool}.mlp.fc1", f"{head}/MlpBlock_0/Dense_0"),
        *_dense(f"{pool}.mlp.fc2", f"{head}/MlpBlock_0/Dense_1"),
    )


def _hybrid(root: str) -> tuple[Row, ...]:
    """Make the rows of a ResNet; its norms are stored with an axis for each of rows, columns and batch."""
    kernels = (
        named(f"{part.ours}.weight", f"{part.theirs}/kernel", layout="rows_cols_in_out") for part in convolutions(root)
    )
    rows = ((f"{part.ours}.{ours}", f"{part.theirs}/{kind}") for part in norms(root) for ours, kind in SCALE_BIAS)
    return *kernels, *(named(ours, theirs, layout="channels_last") for ours, theirs in rows)


@functools.cache
def key_map(is_new: bool, root: str) -> KeyMap:
    """Make the map of a dialect; the two number the parts of a block differently.

    Args:
        is_new: big_vision's rather than that of 2020.
        root: where a hybrid's first convolution lies: row of `ROOTS`.

    Returns:
        The map.
    """
    positions, attention, second_norm, mlp = (NEW_POSITIONS, 0, 1, 0) if is_new else (OLD_POSITIONS, 1, 2, 3)
    ours, theirs = "blocks.{i}", "Transformer/encoderblock_{i}"
    heads = f"{theirs}/MultiHeadDotProductAttention_{attention}"
    parts = ("query", "key", "value")
    return KeyMap(
        [
            *_hybrid(root),
            named("patch_embed.proj.weight", EMBEDDING, layout="rows_cols_in_out"),
            named("patch_embed.proj.bias", "embedding/bias"),
            named("cls_token", "cls"),
            named("pos_embed", positions),
            *_norm(f"{ours}.norm1", f"{theirs}/LayerNorm_0"),
            named(f"{ours}.attn.qkv.weight", *(f"{heads}/{part}/kernel" for part in parts), layout="in_heads"),
            named(f"{ours}.attn.qkv.bias", *(f"{heads}/{part}/bias" for part in parts), layout="heads"),
            named(f"{ours}.attn.proj.weight", f"{heads}/out/kernel", layout="heads_out"),
            named(f"{ours}.attn.proj.bias", f"{heads}/out/bias"),
            *_norm(f"{ours}.norm2", f"{theirs}/LayerNorm_{second_norm}"),
            *_dense(f"{ours}.mlp.fc1", f"{theirs}/MlpBlock_{mlp}/Dense_0"),
            *_dense(f"{ours}.mlp.fc2", f"{theirs}/MlpBlock_{mlp}/Dense_1"),
            *_norm("norm", "Transformer/encoder_norm"),
            *_map_head(),
            *_dense("pre_logits.fc", "pre_logits"),
            *_dense("head", "head"),
        ]
    )


class Google(Format):
    """Read and write Google's `.npz`."""

    name: ClassVar[str] = "google"
    what: ClassVar[str] = "Google's .npz, of 2020 or big_vision's"
    resize: ClassVar[str] = "google"
    writes: ClassVar[bool] = True
    unsaid: ClassVar[tuple[str, ...]] = ("act",)

    def known(self, config: ViTConfig) -> dict[str, Any]:
        """Give the eps of a hybrid too, and the size of the image where there is no table of positions."""
        known = super().known(config)
        if isinstance(config.stem, ResNetStemConfig):
            known["stem.norm_eps"] = config.stem.norm_eps
        return known if config.position.kind == "learned_1d" else {**known, "img_size": config.image_size}

    def matches(self, content: Content) -> bool:
        """Look for the patch projection under one of the prefixes."""
        there = any(prefix + EMBEDDING in content.tensors for prefix in PREFIXES)
        return content.container == "npz" and there

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename and turn; assume what Google's code computes."""
        prefix = next(prefix for prefix in PREFIXES if prefix + EMBEDDING in content.tensors)
        own = {name.removeprefix(prefix): v for name, v in content.tensors.items() if name.startswith(prefix)}
        why = "not of the model: the optimizer's, or another part's"
        left = {name: why for name in content.tensors if not name.startswith(prefix)}
        own = _unstacked(own)
        is_new = OLD_POSITIONS not in own
        state, unknown = key_map(is_new, ROOTS[0] if own.keys() >= STAGES else ROOTS[1]).to_ours(own)
        assumed: dict[str, Any] = {"act": "gelu_tanh"}
        notes = []
        if is_new and NEW_POSITIONS not in own:
            assumed |= {"position": {"kind": "sincos_2d"}, "img_size": 224}
            notes.append("no positions in the file: fixed sines and cosines and images of 224 pixels are assumed")
        if any(name.startswith(BACKBONE) for name in state):
            assumed["stem.norm_eps"] = 1e-6
        attention = f"Transformer/encoderblock_0/MultiHeadDotProductAttention_{0 if is_new else 1}/query/kernel"
        heads = own.get(attention)
        fields = {} if heads is None or heads.ndim != 3 else {"num_heads": heads.shape[1]}
        squashed = not is_new or prefix == IMAGE_TOWER
        preprocessing = PREPROCESSING["google" if squashed else "big_vision"]
        return Reading(
            state, fields, assumed, preprocessing, left=left, unknown=tuple(unknown), notes=tuple(notes)
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write the names of 2020, or big_vision's where the class token has no position; timm loads both."""
        config = record.config
        stages = getattr(config.stem, "layers", ())
        keys = key_map(config.pool.kind == "map" or _is_new(config), ROOTS[0] if stages else ROOTS[1])
        tensors, unknown = keys.to_theirs(model.state_dict(), config.block.num_heads)
        biases = [] if config.block.qkv_bias else ["attention without bias"]
        refuse(self.name, [*unknown, *biases, *self.lost(Content(out, "npz", tensors), config)])
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        np.savez(buffer, **arrays)
        write_atomically(out, buffer.getvalue())


def _is_new(config: ViTConfig) -> bool:
    return not config.tokens.class_token or getattr(config.position, "covers", "patches") == "patches"


def _unstacked(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take blocks apart that big_vision stacked along a first axis (`scan=True`)."""
    apart = {}
    for name, value in tensors.items():
        if not name.startswith(STACKED):
            apart[name] = value
            continue
        rest = name.removeprefix(STACKED)
        apart |= {f"Transformer/encoderblock_{index}/{rest}": block for index, block in enumerate(value)}
    return apart
