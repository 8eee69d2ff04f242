"""State dicts of timm, whose names are vitrail's own: `.safetensors`, `.bin`, `.pth`, with or without config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.core.table import Table
from vitrail.models.config import ViTConfig
from vitrail.models.variants import VARIANTS
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading, refuse
from vitrail.weights.infer import NAMED
from vitrail.weights.key_map import KeyMap, Row, joined, named, pair, with_zero_key_bias
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import Preprocessing, timm_preprocessing

BLOCK = "blocks.{i}"
PARAMETERS = (
    "cls_token", "dist_token", "reg_token", "pos_embed", "attn_pool.latent", f"{BLOCK}.ls1.gamma", f"{BLOCK}.ls2.gamma",
)  # fmt: skip
MODULES = (
    "patch_embed.proj", "norm_pre", f"{BLOCK}.norm1", f"{BLOCK}.attn.qkv", f"{BLOCK}.attn.q_norm",
    f"{BLOCK}.attn.k_norm", f"{BLOCK}.attn.proj", f"{BLOCK}.norm2", f"{BLOCK}.mlp.fc1", f"{BLOCK}.mlp.fc2", "norm",
    "attn_pool.q", "attn_pool.kv", "attn_pool.proj", "attn_pool.norm", "attn_pool.mlp.fc1", "attn_pool.mlp.fc2",
    "fc_norm", "pre_logits.fc", "head", "head_dist",
)  # fmt: skip
SAME = (*(named(name, name) for name in PARAMETERS), *(row for name in MODULES for row in pair(name, name)))
EVA: tuple[Row, ...] = (
    named(f"{BLOCK}.ls1.gamma", f"{BLOCK}.gamma_1"),
    named(f"{BLOCK}.ls2.gamma", f"{BLOCK}.gamma_2"),
    named(f"{BLOCK}.attn.qkv.bias", *(f"{BLOCK}.attn.{part}_bias" for part in "qkv")),
    *joined(f"{BLOCK}.mlp.fc1", f"{BLOCK}.mlp.fc1_g", f"{BLOCK}.mlp.fc1_x"),
)
"""Names of timm's `Eva`, which holds DINOv3; DeiT III's own files share the first two."""

KEYS = KeyMap([*SAME, *EVA])
EVA_KEYS = KeyMap([*EVA, *SAME])

SHOWN = frozenset(
    {
        "img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes", "in_chans", "qkv_bias",
        "class_token", "global_pool", "distilled", "drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
        "pos_drop_rate", "patch_drop_rate", "fc_norm", "weight_init", "fix_init", "init_values", "no_embed_class",
        "reg_tokens", "pre_norm", "qk_norm", "act_layer", "dynamic_img_size", "strict_img_size",
    }
)  # fmt: skip
"""Arguments of timm's models that the shapes show, that are read below, or that matter in training only."""

ACTIVATIONS: Table[str] = Table(
    "activation of timm",
    {name: name for name in ("gelu", "gelu_tanh", "quick_gelu", "relu", "silu")}
    | {"quickgelu": "quick_gelu", "swish": "silu"},
    error=WeightsError,
)
DINOV3 = {
    "position": {"kind": "rope_2d"}, "norm": {"kind": "layer_norm", "eps": 1e-5}, "img_size": 256, "dynamic": True,
}  # fmt: skip


def conv_patches(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the patch projection of timm's first models, a matrix, the shape of a convolution.

    Args:
        state: by vitrail's names.

    Returns:
        The state, changed where need be.
    """
    proj = state.get("patch_embed.proj.weight")
    if proj is None or proj.ndim != 2:
        return state
    side = round((proj.shape[1] / 3) ** 0.5)
    if 3 * side * side != proj.shape[1]:
        raise WeightsError(f"patch_embed.proj.weight: {proj.shape[1]} columns are no square patch of 3 channels")
    return {**state, "patch_embed.proj.weight": proj.reshape(-1, 3, side, side)}


class Timm(Format):
    """Read and write timm's weights."""

    name: ClassVar[str] = "timm"
    what: ClassVar[str] = "timm's state dict, today's or that of 2020-21"
    resize: ClassVar[str] = "timm"
    writes: ClassVar[bool] = True
    unsaid: ClassVar[tuple[str, ...]] = ("num_heads", "act", "norm")

    def known(self, config: ViTConfig) -> dict[str, Any]:
        """Give the size of the image too, where no table of positions shows it."""
        size = {"img_size": config.image_size} if config.position.kind == "rope_2d" else {}
        return super().known(config) | size

    def matches(self, content: Content) -> bool:
        """Look for timm's name of the patch projection, in what is not transformers'."""
        return "patch_embed.proj.weight" in content.tensors and "model_type" not in content.config

    def read(self, content: Content, variant: str | None) -> Reading:
        """Take the names as they are, and what config.json says if there is one."""
        state, unknown = KEYS.to_ours(with_zero_key_bias(content.tensors, "attn.q_bias", "attn.k_bias"))
        state = conv_patches(state)
        config = content.config
        fields, assumed = _fields(config), _assumed(state)
        architecture = str(config.get("architecture", ""))
        if architecture in VARIANTS:
            assumed |= {name: value for name, value in VARIANTS[architecture].items() if name in NAMED}
        preprocessing, size, notes = _said(config)
        if size is not None:
            fields["img_size"] = size
        if preprocessing is None:
            preprocessing, note = timm_preprocessing(state, variant or architecture or None)
            notes = (note,) if note else ()
        return Reading(
            state, fields, assumed, preprocessing, None, _classes(config), unknown=tuple(unknown), notes=notes
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a `.safetensors` file that timm's `load_checkpoint` takes with `strict=True`."""
        config, state = _folded(record.config, model.state_dict())
        if config.representation_size is not None:
            refuse(self.name, ["a representation layer, which timm leaves out when it loads"])
        turned = config.position.kind == "rope_2d"
        tensors, unknown = (EVA_KEYS if turned else KEYS).to_theirs(state, config.block.num_heads)
        for name in [name for name in tensors if name.endswith("attn.k_bias")]:
            if tensors.pop(name).any():
                unknown.append(name)
        refuse(self.name, [*unknown, *self.lost(Content(out, "safetensors", tensors), config)])
        write_atomically(out, save(tensors, metadata={"format": "pt"}))


def _folded(config: ViTConfig, state: dict[str, Tensor]) -> tuple[ViTConfig, dict[str, Tensor]]:
    """Add the positions of class and distillation token to these, where registers have none, as timm does."""
    table, tokens = state.get("pos_embed"), config.tokens
    if table is None or not tokens.registers or getattr(config.position, "covers", "") != "class":
        return config, state
    names: list[str] = [name for name in ("cls_token", "dist_token") if name in state]
    folded = {name: state[name] + table[:, place : place + 1] for place, name in enumerate(names)}
    covered = config.updated(**{"position.covers": "patches"})
    return covered, {**state, **folded, "pos_embed": table[:, len(names) :]}


def _assumed(state: dict[str, Tensor]) -> dict[str, Any]:
    """Say what timm's models of a family have in common that no shape shows."""
    if "pos_embed" not in state and "reg_token" in state:
        return dict(DINOV3)
    return {"norm": {"kind": "layer_norm", "eps": 1e-5}} if "norm_pre.weight" in state else {}


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    given = config.get("model_args") or {}
    strange = sorted(given.keys() - SHOWN)
    if strange:
        hint = "vitrail knows no such part"
        raise WeightsError(f"config.json: model_args {', '.join(strange)} are not known", hint=hint)
    fields = {"num_heads": given["num_heads"]} if "num_heads" in given else {}
    if "act_layer" in given:
        fields["act"] = ACTIVATIONS[str(given["act_layer"])]
    pool = given.get("global_pool", config.get("global_pool", ""))
    if pool == "avg":
        fields["pool"] = {"kind": "mean", "norm_after": given.get("fc_norm") is not False}
    elif pool not in ("", "token", "map"):
        raise WeightsError(f"config.json: global_pool {pool!r} is a pooling that vitrail does not have")
    return fields


def _said(config: dict[str, Any]) -> tuple[Preprocessing | None, tuple[int, int] | None, tuple[str, ...]]:
    """Read the preprocessing that timm writes beside weights on the hub."""
    said = config.get("pretrained_cfg") or {}
    if not {"mean", "std"} <= said.keys():
        return None, None, ()
    mode = {"center": "crop", "squash": "squash"}.get(said.get("crop_mode", "center"))
    if mode is None:
        raise WeightsError(f"config.json: crop_mode {said['crop_mode']!r} is not known; known: center, squash")
    given = {
        "mean": tuple(said["mean"]), "std": tuple(said["std"]), "mode": mode,
        "interpolation": said.get("interpolation", "bicubic"), "crop_fraction": said.get("crop_pct", 0.875),
    }  # fmt: skip
    size = said.get("input_size")
    return Preprocessing(**given), None if size is None else (int(size[1]), int(size[2])), ()


def _classes(config: dict[str, Any]) -> tuple[str, ...] | None:
    names = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    return tuple(map(str, names)) if names else None
