"""The config.json that timm puts beside its weights on the Hub: what it says of a model and of its images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.models.variants import VARIANTS
from vitrail.weights.formats.timm_models import BILINEAR, FOREIGN, TOLD, USUAL
from vitrail.weights.preprocessing import Preprocessing

SHOWN = frozenset(
    {
        "img_size", "patch_size", "embed_dim", "depth", "mlp_ratio", "num_classes", "in_chans", "qkv_bias",
        "class_token", "distilled", "drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate", "pos_drop_rate",
        "patch_drop_rate", "fc_norm", "weight_init", "fix_init", "init_values", "no_embed_class", "reg_tokens",
        "pre_norm", "qk_norm", "strict_img_size", "num_reg_tokens", "use_fc_norm", "swiglu_mlp", "swiglu_align_to",
    }
)  # fmt: skip
"""Arguments of timm's models that the tensors show, or that matter in training only."""
READ = frozenset({"num_heads", "act_layer", "norm_layer", "global_pool", "dynamic_img_size", "dynamic_img_pad"})

ACTIVATIONS: Table[str] = Table(
    "activation of timm",
    {name: name for name in ("gelu", "gelu_tanh", "quick_gelu", "relu", "silu")}
    | {"quickgelu": "quick_gelu", "swish": "silu"},
    error=WeightsError,
)
NORMS: Table[str] = Table("norm of timm", {"layernorm": "layer_norm", "rmsnorm": "rms_norm"}, error=WeightsError)
EPS = 1e-6
"""Of timm's norms, where an architecture does not say otherwise."""
MODES = {"center": "crop", "squash": "squash"}


class Told(NamedTuple):
    """Hold what a config.json says.

    Args:
        fields: flat fields of the model's config.
        preprocessing: of its images; None if it does not say.
        size: height and width of its images; None if it does not say.
        classes: names; None if it does not say.
        resize: row of `RULES`, where timm has another for it than for the rest; "" if not.
    """

    fields: dict[str, Any]
    preprocessing: Preprocessing | None
    size: tuple[int, int] | None
    classes: tuple[str, ...] | None
    resize: str


def read_config(config: Mapping[str, Any], state: Mapping[str, object]) -> Told:
    """Read it.

    Args:
        config: the JSON; empty if there is none.
        state: tensors by vitrail's names.

    Returns:
        What it says.

    Raises:
        WeightsError: for a part that vitrail does not have, or that cannot be understood.
    """
    architecture = str(config.get("architecture", ""))
    if architecture in FOREIGN:
        raise WeightsError(f"config.json: {architecture} has {FOREIGN[architecture]}, which vitrail does not have")
    fields = _fields(architecture, config, state)
    preprocessing, size = _said(config)
    return Told(fields, preprocessing, size, _classes(config), "timm_npz" if architecture in BILINEAR else "")


def _fields(architecture: str, config: Mapping[str, Any], state: Mapping[str, object]) -> dict[str, Any]:
    given = config.get("model_args") or {}
    strange = sorted(given.keys() - SHOWN - READ)
    if strange:
        raise WeightsError(
            f"config.json: model_args {', '.join(strange)} are not known", hint="vitrail knows no such part"
        )
    fields: dict[str, Any] = {}
    if architecture in VARIANTS:
        fields["num_heads"] = VARIANTS[architecture]["num_heads"]
    if architecture:
        fields |= {**USUAL, **TOLD.get(architecture, {})}
    if "num_heads" in given:
        fields["num_heads"] = int(given["num_heads"])
    if "act_layer" in given:
        fields["act"] = ACTIVATIONS[str(given["act_layer"])]
    if "norm_layer" in given:
        fields["norm"] = {"kind": NORMS[str(given["norm_layer"])], "eps": EPS}
    for theirs, ours in (("dynamic_img_size", "dynamic"), ("dynamic_img_pad", "dynamic_pad")):
        if theirs in given:
            fields[ours] = bool(given[theirs])
    pool = given.get("global_pool", config.get("global_pool"))
    return fields if pool is None else {**fields, "pool": _pool(str(pool), state)}


def _pool(name: str, state: Mapping[str, object]) -> dict[str, Any]:
    after = "fc_norm.weight" in state
    pools: Table[dict[str, Any]] = Table(
        "pooling of timm",
        {
            "token": {"kind": "class_token"},
            "avg": {"kind": "mean", "norm_after": after},
            "map": {"kind": "map"},
            "": {"kind": "none"},
        },
        error=WeightsError,
    )
    return pools[name]


def _said(config: Mapping[str, Any]) -> tuple[Preprocessing | None, tuple[int, int] | None]:
    said = config.get("pretrained_cfg") or {}
    if not {"mean", "std"} <= said.keys():
        return None, None
    mode = said.get("crop_mode", "center")
    if mode not in MODES:
        raise WeightsError(f"config.json: crop_mode {mode!r} is not known; known: {', '.join(MODES)}")
    given: dict[str, Any] = {
        "mean": tuple(said["mean"]), "std": tuple(said["std"]), "mode": MODES[mode],
        "interpolation": said.get("interpolation", "bicubic"), "crop_fraction": said.get("crop_pct", 0.875),
    }  # fmt: skip
    size = said.get("input_size")
    return Preprocessing(**given), None if size is None else (int(size[1]), int(size[2]))


def _classes(config: Mapping[str, Any]) -> tuple[str, ...] | None:
    names = config.get("label_names") or (config.get("pretrained_cfg") or {}).get("label_names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names, key=int)]
    return tuple(map(str, names)) if names else None
