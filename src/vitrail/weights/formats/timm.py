"""State dicts of timm, whose names are vitrail's own: `.safetensors`, `.bin`, `.pth`, with or without config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.models.variants import VARIANTS
from vitrail.nn.norm import LayerNormConfig
from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading, refuse, unusual
from vitrail.weights.key_map import KeyMap, Row, pair
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import Preprocessing, timm_preprocessing

SAME = (
    "patch_embed.proj", "blocks.{i}.norm1", "blocks.{i}.attn.qkv", "blocks.{i}.attn.proj", "blocks.{i}.norm2",
    "blocks.{i}.mlp.fc1", "blocks.{i}.mlp.fc2", "norm", "fc_norm", "pre_logits.fc", "head", "head_dist",
)  # fmt: skip
KEYS = KeyMap(
    [
        *(Row(name, (name,)) for name in ("cls_token", "dist_token", "pos_embed")),
        *(row for name in SAME for row in pair(name, name)),
    ]
)
SHOWN = frozenset(
    {
        "img_size", "patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "num_classes", "in_chans", "qkv_bias",
        "class_token", "global_pool", "distilled", "drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate",
        "pos_drop_rate", "patch_drop_rate", "fc_norm", "weight_init", "fix_init",
    }
)  # fmt: skip
"""Arguments of timm's models that the shapes show, that are read below, or that matter in training only."""


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


def is_deit(content: Content) -> bool:
    """Say whether timm's names lie where facebookresearch/deit puts them: pickled, under the key "model".

    Args:
        content: any.

    Returns:
        False for timm's own.
    """
    inside = content.container == "pickle" and content.wrapper[:1] == ("model",) and not content.config
    return inside and "patch_embed.proj.weight" in content.tensors


class Timm(Format):
    """Read and write timm's weights."""

    name: ClassVar[str] = "timm"
    what: ClassVar[str] = "timm's state dict, today's or that of 2020-21"
    resize: ClassVar[str] = "timm"
    writes: ClassVar[bool] = True

    def matches(self, content: Content) -> bool:
        """Look for timm's name of the patch projection, in what is neither DeiT's own file nor transformers'."""
        there = "patch_embed.proj.weight" in content.tensors
        return there and "model_type" not in content.config and not is_deit(content)

    def read(self, content: Content, variant: str | None) -> Reading:
        """Take the names as they are, and what config.json says if there is one."""
        state, unknown = KEYS.to_ours(content.tensors)
        state = conv_patches(state)
        config = content.config
        fields = _fields(config)
        architecture = str(config.get("architecture", ""))
        if variant is None and architecture in VARIANTS:
            fields.setdefault("num_heads", VARIANTS[architecture]["num_heads"])
        preprocessing, size = _said(config)
        notes: tuple[str, ...] = ()
        if size is not None:
            fields["img_size"] = size
        if preprocessing is None:
            shape = {"distilled": "dist_token" in state}
            preprocessing, note = timm_preprocessing(shape, variant or architecture or None)
            notes = (note,) if note else ()
        return Reading(
            state, fields, preprocessing, None, _classes(config), unknown=tuple(unknown), notes=notes
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a `.safetensors` file that timm's `load_checkpoint` takes with `strict=True`."""
        config = record.config
        norm = config.block.norm
        eps = norm.eps if isinstance(norm, LayerNormConfig) else 0.0
        reasons = {
            **unusual(config),
            f"activation {config.block.act!r}": config.block.act != "gelu",
            "a representation layer, which timm leaves out when it loads": config.representation_size is not None,
            f"LayerNorm's eps of {eps:g}; timm's is 1e-6": eps > 1e-6,
            "the mean of patches beside a class token, normalised before": config.pool.kind == "mean"
            and config.tokens.class_token
            and not config.pool.norm_after,
            "an image that is not square": config.image_size[0] != config.image_size[1],
        }
        refuse(self.name, reasons)
        tensors, unknown = KEYS.to_theirs(model.state_dict(), config.block.num_heads)
        refuse(self.name, dict.fromkeys(unknown, True))
        write_atomically(out, save(tensors, metadata={"format": "pt"}))


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    given = config.get("model_args") or {}
    strange = sorted(given.keys() - SHOWN)
    if strange:
        hint = "vitrail knows no such part; only plain ViT and DeiT are read"
        raise WeightsError(f"config.json: model_args {', '.join(strange)} are not known", hint=hint)
    fields = {"num_heads": given["num_heads"]} if "num_heads" in given else {}
    pool = given.get("global_pool", config.get("global_pool", ""))
    if pool == "avg":
        fields["pool"] = {"kind": "mean", "norm_after": given.get("fc_norm") is not False}
    elif pool not in ("", "token"):
        raise WeightsError(f"config.json: global_pool {pool!r} is a pooling that vitrail does not have yet")
    return fields


def _said(config: dict[str, Any]) -> tuple[Preprocessing | None, tuple[int, int] | None]:
    """Read the preprocessing that timm writes beside weights on the hub."""
    said = config.get("pretrained_cfg") or {}
    if not {"mean", "std"} <= said.keys():
        return None, None
    mode = {"center": "crop", "squash": "squash"}.get(said.get("crop_mode", "center"))
    if mode is None:
        raise WeightsError(f"config.json: crop_mode {said['crop_mode']!r} is not known; known: center, squash")
    given = {
        "mean": tuple(said["mean"]), "std": tuple(said["std"]), "mode": mode,
        "interpolation": said.get("interpolation", "bicubic"), "crop_fraction": said.get("crop_pct", 0.875),
    }  # fmt: skip
    size = said.get("input_size")
    return Preprocessing(**given), None if size is None else (int(size[1]), int(size[2]))


def _classes(config: dict[str, Any]) -> tuple[str, ...] | None:
    names = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    return tuple(map(str, names)) if names else None
