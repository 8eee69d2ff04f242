"""The architecture that a state dict belongs to, read from its shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.sizes import SIZES
from vitrail.models.variants import variant_fields

HEAD_DIM = 64
"""Width of a head in every ViT and DeiT from Ti to L; wider ones are rows of `SIZES`."""


class OldModel(NamedTuple):
    """Say what shapes do not, of a model that once had a name which now means another.

    Args:
        shape: embed_dim, depth and width of the MLP.
        fields: of the config.
        note: what to tell.
    """

    shape: tuple[int, int, int]
    fields: dict[str, Any]
    note: str


OLD_MODELS = (
    OldModel(
        (768, 8, 2304),
        {"num_heads": 8, "qk_scale": 768**-0.5},
        "timm's vit_small_patch16_224 of 2020: 8 heads, and scores divided by √768, as it was trained",
    ),
)


def infer_fields(state: Mapping[str, Tensor], known: Mapping[str, Any], variant: str | None) -> dict[str, Any]:
    """Find the architecture.

    Args:
        state: by vitrail's names.
        known: flat fields that the format's own config states; "img_size" here settles the grid of positions.
        variant: what the user says it is; None if nothing.

    Returns:
        Flat fields for `ViTConfig.of`; under "notes" a list of what was assumed.

    Raises:
        WeightsError: if the shapes belong to no model, or to another than `variant`.
    """
    fields = _shapes(state)
    prefix = int(fields["class_token"]) + int(fields["distilled"])
    given = dict(known)
    notes: list[str] = []
    if "img_size" not in given:
        given["img_size"] = _image_size(state, fields["patch_size"], prefix)
    if "num_heads" not in given:
        more, note = _heads(fields, variant)
        given |= more
        notes += [note] if note else []
    if isinstance(given["img_size"], tuple) and len(set(given["img_size"])) == 1:
        given["img_size"] = given["img_size"][0]
    fields |= given
    if variant is not None:
        check_variant(fields, variant)
    return {**fields, "notes": notes}


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read from the shapes whatever they settle."""
    proj = _need(state, "patch_embed.proj.weight", 4)
    width, channels, patch, other = proj.shape
    if 0 in proj.shape:
        raise WeightsError(f"patch_embed.proj.weight has shape {tuple(proj.shape)}: not one number")
    if patch != other:
        raise WeightsError(f"patch_embed.proj.weight: patches of {patch} × {other} pixels; they must be square")
    blocks = {int(match.group(1)) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))}
    if blocks != set(range(len(blocks))):
        gaps = sorted(set(range(max(blocks))) - blocks)
        raise WeightsError(f"blocks {', '.join(map(str, gaps[:5]))} are missing of {max(blocks) + 1}")
    hidden = _need(state, "blocks.0.mlp.fc1.weight", 2).shape[0] if blocks else width
    head, representation = state.get("head.weight"), state.get("pre_logits.fc.weight")
    norm_after = "fc_norm.weight" in state
    pool: Any = "class_token" if "cls_token" in state else {"kind": "mean", "norm_after": False}
    return {
        "embed_dim": width,
        "in_chans": channels,
        "patch_size": patch,
        "depth": len(blocks),
        "mlp_ratio": _ratio(hidden, width),
        "qkv_bias": not blocks or "blocks.0.attn.qkv.bias" in state,
        "class_token": "cls_token" in state,
        "distilled": "dist_token" in state,
        "representation_size": None if representation is None else representation.shape[0],
        "num_classes": 0 if head is None else head.shape[0],
        "pool": {"kind": "mean", "norm_after": True} if norm_after else pool,
        "position": "learned_1d",
    }


def _ratio(hidden: int, width: int) -> float:
    """Divide so that the width times the ratio, rounded down, is the hidden width again."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)


def _need(state: Mapping[str, Tensor], name: str, axes: int) -> Tensor:
    if name not in state or state[name].ndim != axes:
        found = f"has shape {tuple(state[name].shape)}" if name in state else "is missing"
        raise WeightsError(f"{name} {found}: not the weights of a Vision Transformer that vitrail has")
    return state[name]


def _image_size(state: Mapping[str, Tensor], patch: int, prefix: int) -> int:
    """Find the side of the image; a table of positions alone cannot tell 4 × 9 patches from 6 × 6."""
    patches = _need(state, "pos_embed", 3).shape[1] - prefix
    side = math.isqrt(max(patches, 0))
    if patches < 1 or side * side != patches:
        hint = "give a folder whose config.json says the image's height and width"
        raise WeightsError(f"pos_embed has {patches} places for patches, which are no square", hint=hint)
    return side * patch


def _heads(fields: Mapping[str, Any], variant: str | None) -> tuple[dict[str, Any], str]:
    """Find the number of heads, which no shape shows: as the variant says, or as models of these shapes have it."""
    width, depth = fields["embed_dim"], fields["depth"]
    shape = (width, depth, round(width * fields["mlp_ratio"]))
    old = next((row for row in OLD_MODELS if row.shape == shape), None)
    if variant is not None:
        return {"num_heads": variant_fields(variant)["num_heads"]}, ""
    if old is not None:
        return dict(old.fields), old.note
    for name, size in SIZES.items():
        sized = int(size["embed_dim"] * size.get("mlp_ratio", 4.0))
        if (size["embed_dim"], size["depth"], sized) == shape:
            return {"num_heads": size["num_heads"]}, f"{size['num_heads']} heads, as size {name} has"
    if width % HEAD_DIM:
        raise WeightsError(
            f"the number of heads is not in the file, and {width} is no multiple of {HEAD_DIM}",
            hint="say which model it is: --variant S/16, or variant=…",
        )
    return {"num_heads": width // HEAD_DIM}, f"{width // HEAD_DIM} heads are assumed: {HEAD_DIM} numbers a head"


def check_variant(fields: Mapping[str, Any], variant: str) -> None:
    """Refuse weights that are not what the user says they are.

    Args:
        fields: embed_dim, depth, patch_size, num_heads, mlp_ratio and distilled of the weights.
        variant: a name that `create_model` knows.

    Raises:
        WeightsError: if one differs from the variant's.
        ConfigError: if there is no such variant.
    """
    wanted = variant_fields(variant)
    expected = {"mlp_ratio": 4.0, **wanted}
    names = ("embed_dim", "depth", "patch_size", "num_heads", "mlp_ratio", "distilled")
    wrong = [
        f"{name} {fields[name]} (not {expected[name]})"
        for name in names
        if name in expected and abs(fields[name] - expected[name]) > 1e-9
    ]
    if wrong:
        raise WeightsError(f"the weights are not those of {variant}: {', '.join(wrong)}", hint="leave the variant out")
