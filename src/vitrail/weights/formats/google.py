"""Google's `.npz` checkpoints: the names of 2020 (vision_transformer) and those of big_vision."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.models.config import ViTConfig
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading, refuse
from vitrail.weights.key_map import KeyMap, Row, named
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import PREPROCESSING

PREFIXES = ("", "opt/target/", "params/", "params/img/")
EMBEDDING = "embedding/kernel"
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


def _key_map(positions: str, attention: int, second_norm: int, mlp: int) -> KeyMap:
    """Make the map; the two dialects number the parts of a block differently."""
    ours, theirs = "blocks.{i}", "Transformer/encoderblock_{i}"
    heads = f"{theirs}/MultiHeadDotProductAttention_{attention}"
    parts = ("query", "key", "value")
    return KeyMap(
        [
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


OLD_KEYS = _key_map(OLD_POSITIONS, attention=1, second_norm=2, mlp=3)
NEW_KEYS = _key_map(NEW_POSITIONS, attention=0, second_norm=1, mlp=0)


class Google(Format):
    """Read and write Google's `.npz`."""

    name: ClassVar[str] = "google"
    what: ClassVar[str] = "Google's .npz, of 2020 or big_vision's"
    resize: ClassVar[str] = "google"
    writes: ClassVar[bool] = True

    def matches(self, content: Content) -> bool:
        """Look for the patch projection under one of the prefixes."""
        there = any(prefix + EMBEDDING in content.tensors for prefix in PREFIXES)
        return content.container == "npz" and there

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename and turn."""
        prefix = next(prefix for prefix in PREFIXES if prefix + EMBEDDING in content.tensors)
        own = {name.removeprefix(prefix): v for name, v in content.tensors.items() if name.startswith(prefix)}
        why = "not of the model: the optimizer's, or another part's"
        left = {name: why for name in content.tensors if not name.startswith(prefix)}
        own = _unstacked(own)
        if OLD_POSITIONS not in own and NEW_POSITIONS not in own:
            raise WeightsError(
                f"neither {OLD_POSITIONS} nor {NEW_POSITIONS} is there",
                hint="fixed positions are not in the file and not read yet",
            )
        is_new = NEW_POSITIONS in own
        state, unknown = (NEW_KEYS if is_new else OLD_KEYS).to_ours(own)
        attention = f"Transformer/encoderblock_0/MultiHeadDotProductAttention_{0 if is_new else 1}/query/kernel"
        heads = own.get(attention)
        fields = {} if heads is None or heads.ndim != 3 else {"num_heads": heads.shape[1]}
        return Reading(
            state, fields, preprocessing=PREPROCESSING["google"], left=left, unknown=tuple(unknown)
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write the names of 2020, or big_vision's where the class token has no position; timm loads both."""
        config = record.config
        keys = NEW_KEYS if config.pool.kind == "map" or _is_new(config) else OLD_KEYS
        tensors, unknown = keys.to_theirs(model.state_dict(), config.block.num_heads)
        biases = [] if config.block.qkv_bias else ["attention without bias"]
        refuse(self.name, [*unknown, *biases, *self.lost(Content(out, "npz", tensors), config)])
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {name: value.detach().cpu().numpy() for name, value in tensors.items()}
        np.savez(buffer, **arrays)
        write_atomically(out, buffer.getvalue())


def _is_new(config: ViTConfig) -> bool:
    return not config.tokens.class_token or getattr(config.position, "covers", "all") == "patches"


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
