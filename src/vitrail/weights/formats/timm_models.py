"""What timm's code says of a model and no tensor of it shows. Data only; names are those of timm 1.0.31."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from vitrail.core.table import Table

GELU_TANH = (
    *(f"vit_base_patch32_siglip_{gap}256" for gap in ("", "gap_")),
    *(f"vit_large_patch16_siglip_{gap}512" for gap in ("", "gap_")),
    *(f"vit_so400m_patch16_siglip_{gap}{side}" for gap in ("", "gap_") for side in (256, 384, 512)),
    *(f"vit_giantopt_patch16_siglip_{gap}{side}" for gap in ("", "gap_") for side in (256, 384)),
)
"""Other SigLIPs were trained with it too, but timm computes them with GELU."""

QUICK_GELU = (
    *(f"vit_base_patch{patch}_clip_quickgelu_224" for patch in (16, 32)),
    *(f"vit_large_patch14_clip_quickgelu_{side}" for side in (224, 336)),
    *(f"vit_huge_patch14_clip_quickgelu_{side}" for side in (224, 378)),
    "vit_gigantic_patch14_clip_quickgelu_224",
)
HEADS = {
    "test_vit": 2, "test_vit2": 2, "test_vit4": 3, "vit_base_patch16_gap_224": 16, "vit_7b_patch16_dinov3": 32,
    "vit_huge_plus_patch16_dinov3": 20, "vit_huge_plus_patch16_dinov3_qkvb": 20,
}  # fmt: skip
"""Heads that are neither as wide as 64 nor those of a size."""

BILINEAR = tuple(f"flexivit_{size}" for size in ("small", "base", "large"))

TOLD: Table[Mapping[str, Any]] = Table(
    "model of timm",
    {
        **{name: {"act": "gelu_tanh"} for name in GELU_TANH},
        **{name: {"act": "quick_gelu"} for name in QUICK_GELU},
        **{name: {"num_heads": heads} for name, heads in HEADS.items()},
    },
)
"""Name → flat fields of the config, where they are not the usual ones."""

USUAL: Mapping[str, Any] = MappingProxyType({"act": "gelu"})

FOREIGN = {
    "vit_base_patch16_rpn_224": "norms at the end of each branch",
    "test_vit3": "attention pooling that looks at the registers",
}
"""Name → what such a model has that vitrail has not, and no tensor shows."""
