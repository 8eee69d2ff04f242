"""State dicts of timm, whose names are vitrail's own: `.safetensors`, `.bin`, `.pth`, with or without config.json."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.models.config import ViTConfig
from vitrail.nn.stem import ResNetStemConfig
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading, refuse
from vitrail.weights.formats.hybrid import ROOTS, convolutions, norms
from vitrail.weights.formats.timm_config import read_config
from vitrail.weights.key_map import KeyMap, Row, joined, named, pair, with_zero_key_bias
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import timm_preprocessing

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
KERNELS = tuple(dict.fromkeys(f"{part.ours}.weight" for root in ROOTS for part in convolutions(root)))
NORMS = tuple(dict.fromkeys(part.ours for root in ROOTS for part in norms(root)))
SAME = (
    *(named(name, name) for name in (*PARAMETERS, *KERNELS)),
    *(row for name in (*MODULES, *NORMS) for row in pair(name, name)),
)
EVA: tuple[Row, ...] = (
    named(f"{BLOCK}.ls1.gamma", f"{BLOCK}.gamma_1"),
    named(f"{BLOCK}.ls2.gamma", f"{BLOCK}.gamma_2"),
    named(f"{BLOCK}.attn.qkv.bias", *(f"{BLOCK}.attn.{part}_bias" for part in "qkv")),
)
"""Names of timm's `Eva`, which holds DINOv3; DeiT III's own files share the first two."""
GATED = joined(f"{BLOCK}.mlp.fc1", f"{BLOCK}.mlp.fc1_g", f"{BLOCK}.mlp.fc1_x")

KEYS = KeyMap([*SAME, *EVA, *GATED])
EVA_KEYS = KeyMap([*EVA, *SAME])
GATED_EVA_KEYS = KeyMap([*GATED, *EVA, *SAME])

EPS_1E_5: dict[str, Any] = {"norm": {"kind": "layer_norm", "eps": 1e-5}}
DINOV3: dict[str, Any] = {
    "position": {"kind": "rope_2d"}, "img_size": 256, "dynamic": True, **EPS_1E_5,
}  # fmt: skip
HIDDEN = (
    (("blocks.0.gamma_1", "pos_embed"), "EVA"),
    (("blocks.0.attn.q_bias", "pos_embed"), "EVA"),
    (("norm_pre.weight", "attn_pool.latent"), "a Perception Encoder"),
)
"""Names that stand together in models of timm that turn queries and keys, too, which their tensors do not show."""


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
        """Give what else no tensor shows: the pooling of DINOv3 and the size of its images, the eps of a hybrid."""
        known = super().known(config)
        if config.position.kind == "rope_2d":
            known |= {"img_size": config.image_size, "pool": config.pool}
        if isinstance(config.stem, ResNetStemConfig):
            known["stem.norm_eps"] = config.stem.norm_eps
        return known

    def matches(self, content: Content) -> bool:
        """Look for timm's name of the patch projection, in what is not transformers'."""
        return "patch_embed.proj.weight" in content.tensors and "model_type" not in content.config

    def read(self, content: Content, variant: str | None) -> Reading:
        """Take the names as they are, and what config.json says if there is one."""
        if variant is None:
            _refuse_hidden(content.tensors)
        state, unknown = KEYS.to_ours(with_zero_key_bias(content.tensors, "attn.q_bias", "attn.k_bias"))
        state = conv_patches(state)
        told = read_config(content.config, state)
        fields, preprocessing, size = dict(told.fields), told.preprocessing, told.size
        if size is not None and ("pos_embed" not in state or size[0] != size[1]):
            fields["img_size"] = size
        notes = _notes(state, fields, variant)
        if preprocessing is None:
            preprocessing, note = timm_preprocessing(state, variant or content.config.get("architecture"))
            notes += [note] if note else []
        return Reading(
            state, fields, _assumed(state, variant), preprocessing, size, told.classes, unknown=tuple(unknown),
            notes=tuple(notes), resize=told.resize,
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a `.safetensors` file that timm's `load_checkpoint` takes with `strict=True`."""
        config, state = _folded(record.config, model.state_dict())
        if config.representation_size is not None:
            refuse(self.name, ["a representation layer, which timm leaves out when it loads"])
        keys = KEYS
        if config.position.kind == "rope_2d":
            keys = GATED_EVA_KEYS if config.block.mlp == "swiglu" else EVA_KEYS
        tensors, unknown = keys.to_theirs(state, config.block.num_heads)
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


def _refuse_hidden(names: Iterable[str]) -> None:
    found = next((kind for shown, kind in HIDDEN if all(name in names for name in shown)), None)
    if found is not None:
        hint = "if it is a model that vitrail has, such as a DeiT III, say which: --variant deit3_small_patch16_224"
        told = f"of {found}, by the names: its queries and keys may be turned, which no tensor shows"
        raise WeightsError(told, hint=hint)


def _assumed(state: dict[str, Tensor], variant: str | None) -> dict[str, Any]:
    """Say what timm's models of a family have in common that no shape shows; a variant of ours has its own pooling."""
    if "blocks.0.norm1.weight" in state and "blocks.0.norm1.bias" not in state:
        return {"norm": {"kind": "rms_norm"}}
    if "pos_embed" not in state and {"reg_token", "cls_token"} <= state.keys():
        return DINOV3 if variant is not None else {**DINOV3, "pool": {"kind": "mean", "norm_after": False}}
    return EPS_1E_5 if "norm_pre.weight" in state else {}


def _notes(state: dict[str, Tensor], fields: dict[str, Any], variant: str | None) -> list[str]:
    """Say what is a guess, because models of timm of the same shapes differ in it."""
    notes = []
    if ("norm_pre.weight" in state or "attn_pool.latent" in state) and variant is None and "act" not in fields:
        notes.append("GELU is assumed; OpenAI's CLIP wants QuickGELU, most SigLIPs GELU's tanh form: say the variant")
    if "pos_embed" not in state and variant is None and "pool" not in fields:
        notes.append("the mean of the patches is assumed for pooling, as in timm")
    return notes
