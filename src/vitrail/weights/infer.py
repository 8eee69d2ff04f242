"""The architecture that a state dict belongs to, read from its shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from torch import Tensor

from vitrail.core.errors import ConfigError, WeightsError
from vitrail.models.config import ViTConfig
from vitrail.models.sizes import SIZES
from vitrail.models.variants import VARIANTS, variant_fields

HEAD_DIM = 64
"""Width of a head in every ViT and DeiT from Ti to L, and in DINOv2's giant; others: rows of `SIZES` or `VARIANTS`."""

BACKBONE = "patch_embed.backbone"
NAMED = ("num_heads", "act", "norm", "qk_scale", "position")
"""Fields that no shape shows and a variant settles."""


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


def infer_config(
    state: Mapping[str, Tensor],
    said: Mapping[str, Any],
    variant: str | None = None,
    assumed: Mapping[str, Any] = MappingProxyType({}),
) -> tuple[ViTConfig, list[str]]:
    """Find the architecture.

    Args:
        state: by vitrail's names.
        said: flat fields that the format's own config states; "img_size" here settles the grid of positions, "resize"
            is the rule by which a table of them is carried to another.
        variant: what the user says it is; None if nothing.
        assumed: flat fields that hold where neither `said` nor the variant says otherwise.

    Returns:
        The config, and what was assumed.

    Raises:
        WeightsError: if the shapes belong to no model, or to another than `variant`.
    """
    fields = _shapes(state)
    named = {} if variant is None else variant_fields(variant)
    given = {**assumed, **{name: value for name, value in named.items() if name in NAMED}, **said}
    notes: list[str] = []
    fields |= _places(state, fields, given, given.pop("resize", "timm"))
    if "num_heads" not in given:
        more, note = _heads(fields)
        fields |= more
        notes.append(note)
    fields |= given
    if variant is not None:
        check_variant(fields, variant)
    try:
        return ViTConfig.of(**fields), notes
    except ConfigError as error:
        raise WeightsError(f"its shapes make no model: {error.message}", error.hint) from error


def _shapes(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read from the shapes whatever they settle."""
    proj = _need(state, "patch_embed.proj.weight", 4)
    width, channels, patch, other = proj.shape
    if 0 in proj.shape:
        raise WeightsError(f"patch_embed.proj.weight has shape {tuple(proj.shape)}: not one number")
    if patch != other:
        raise WeightsError(f"patch_embed.proj.weight: patches of {patch} × {other} pixels; they must be square")
    head, representation = state.get("head.weight"), state.get("pre_logits.fc.weight")
    return {
        "embed_dim": width,
        **({"in_chans": channels, "patch_size": patch} | _stem(state, patch)),
        **_blocks(state, width),
        "patch_bias": "patch_embed.proj.bias" in state,
        "pre_norm": "norm_pre.weight" in state,
        "class_token": "cls_token" in state,
        "distilled": "dist_token" in state,
        "registers": _need(state, "reg_token", 3).shape[1] if "reg_token" in state else 0,
        "representation_size": None if representation is None else representation.shape[0],
        "num_classes": 0 if head is None else head.shape[0],
        "pool": _pool(state),
    }


def _stem(state: Mapping[str, Tensor], projected: int) -> dict[str, Any]:
    """Read what a hybrid's ResNet is made of; nothing for models without one."""
    roots = (f"{BACKBONE}.stem.conv.weight", f"{BACKBONE}.conv.weight")
    name = next((name for name in roots if name in state), None)
    if name is None:
        return {}
    width, channels = _need(state, name, 4).shape[:2]
    found = re.compile(re.escape(BACKBONE) + r"\.stages\.(\d+)\.blocks\.(\d+)\.conv1\.weight")
    units = [tuple(map(int, match.groups())) for other in state if (match := found.fullmatch(other))]
    layers = tuple(sum(at == stage for at, _ in units) for stage in range(1 + max((at for at, _ in units), default=-1)))
    stem = {"kind": "resnet", "layers": layers, "width": width}
    return {"in_chans": channels, "patch_size": projected * 2 ** max(2, len(layers) + 1), "stem": stem}


def _blocks(state: Mapping[str, Tensor], width: int) -> dict[str, Any]:
    """Read what the blocks are made of."""
    blocks = {int(match.group(1)) for name in state if (match := re.match(r"blocks\.(\d+)\.", name))}
    if blocks != set(range(len(blocks))):
        gaps = sorted(set(range(max(blocks))) - blocks)
        raise WeightsError(f"blocks {', '.join(map(str, gaps[:5]))} are missing of {max(blocks) + 1}")
    if not blocks:
        return {"depth": 0, "mlp_ratio": 1.0}
    widened, hidden = (_need(state, f"blocks.0.mlp.fc{n}.weight", 2).shape[n - 1] for n in (1, 2))
    return {
        "depth": len(blocks),
        "mlp_ratio": _ratio(hidden, width),
        "mlp": "swiglu" if widened == 2 * hidden else "mlp",
        "qkv_bias": "blocks.0.attn.qkv.bias" in state,
        "qk_norm": "blocks.0.attn.q_norm.weight" in state,
        "layer_scale": 1e-5 if "blocks.0.ls1.gamma" in state else None,
    }


def _pool(state: Mapping[str, Tensor]) -> str | dict[str, Any]:
    """Read how tokens become one vector."""
    if "attn_pool.latent" in state:
        return "map"
    if "fc_norm.weight" in state:
        return {"kind": "mean", "norm_after": True}
    return "class_token" if "cls_token" in state else {"kind": "mean", "norm_after": False}


def _ratio(hidden: int, width: int) -> float:
    """Divide so that the width times the ratio, rounded down, is the hidden width again."""
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)


def _need(state: Mapping[str, Tensor], name: str, axes: int) -> Tensor:
    if name not in state or state[name].ndim != axes:
        found = f"has shape {tuple(state[name].shape)}" if name in state else "is missing"
        raise WeightsError(f"{name} {found}: not the weights of a Vision Transformer that vitrail has")
    return state[name]


def _places(
    state: Mapping[str, Tensor], fields: Mapping[str, Any], given: Mapping[str, Any], resize: str
) -> dict[str, Any]:
    """Find which tokens the table of positions has entries for, and how large the image is.

    A table alone cannot tell 4 × 9 patches from 6 × 6; it is taken to be square unless `given` says otherwise.
    """
    kind = given.get("position", "learned_1d")
    if "pos_embed" not in state and kind != "learned_1d":
        return {}
    entries, patch = _need(state, "pos_embed", 3).shape[1], fields["patch_size"]
    before = int(fields["class_token"]) + int(fields["distilled"])
    size = given.get("img_size")
    for covers, prefix in (("all", before + fields["registers"]), ("patches", 0), ("class", before)):
        side = math.isqrt(max(entries - prefix, 0))
        fits = side >= 1 and side * side == entries - prefix
        if size is not None:
            height, width = (size, size) if isinstance(size, int) else size
            fits = (height // patch) * (width // patch) == entries - prefix
        if fits:
            return {
                "img_size": side * patch if size is None else size,
                "position": {"kind": "learned_1d", "covers": covers, "resize": resize},
            }
    if size is not None:
        raise WeightsError(f"pos_embed has {entries} places, which do not go with images of {size} pixels")
    hint = "give a folder whose config.json says the image's height and width"
    raise WeightsError(f"pos_embed has {entries - before} places for patches, which are no square", hint=hint)


def _heads(fields: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Find the number of heads, which no shape shows: as models of these shapes have it."""
    width, depth = fields["embed_dim"], fields["depth"]
    shape = (width, depth, round(width * fields["mlp_ratio"]))
    old = next((row for row in OLD_MODELS if row.shape == shape), None)
    if old is not None:
        return dict(old.fields), old.note
    plain = fields["mlp"] == "mlp"
    for name, row in [*((f"size {name}", row) for name, row in SIZES.items() if plain), *VARIANTS.items()]:
        sized = int(row["embed_dim"] * row.get("mlp_ratio", 4.0))
        if (row["embed_dim"], row["depth"], sized, row.get("mlp", "mlp")) == (*shape, fields["mlp"]):
            return {"num_heads": row["num_heads"]}, f"{row['num_heads']} heads, as {name} has"
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
    expected = {"mlp_ratio": 4.0, **variant_fields(variant)}
    names = ("embed_dim", "depth", "patch_size", "num_heads", "mlp_ratio", "distilled")
    wrong = [
        f"{name} {fields[name]} (not {expected[name]})"
        for name in names
        if name in expected and abs(fields[name] - expected[name]) > 1e-9
    ]
    if wrong:
        raise WeightsError(f"the weights are not those of {variant}: {', '.join(wrong)}", hint="leave the variant out")
