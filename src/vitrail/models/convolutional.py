"""The rows of `VARIANTS` with convolutions before the patches: hybrids, plain ResNets, ViT_C. Data only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vitrail.models.sizes import SIZES

Fields = dict[str, Any]

HYBRIDS: dict[str, tuple[str, tuple[int, ...], int]] = {
    "R+Ti/16": ("vit_tiny_r_s16_p8", (), 32),
    "R26+S/32": ("vit_small_r26_s32", (2, 2, 2, 2), 32),
    "R26+B/32": ("vit_base_r26_s32", (2, 2, 2, 2), 32),
    "R50+B/16": ("vit_base_r50_s16", (3, 4, 9), 16),
    "R50+B/32": ("vit_base_r50_s32", (3, 4, 6, 3), 32),
    "R50+L/16": ("vit_large_r50_s16", (3, 4, 9), 16),
    "R50+L/32": ("vit_large_r50_s32", (3, 4, 6, 3), 32),
}
"""Name in the papers → name in timm's manner, bottlenecks of each stage, patch in pixels of the image.

Dosovitskiy et al. 2020, table 6; "How to train your ViT" (arXiv 2106.10270), whose R+Ti/16 cuts patches of 8 from a
root that shrinks four times."""

RESNETS: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {
    50: ((3, 4, 6, 3), (1, 2, 3)),
    101: ((3, 4, 23, 3), (1, 3)),
    152: ((3, 8, 36, 3), (1, 2, 4)),
    200: ((3, 24, 36, 3), (3,)),
}
"""Layers → bottlenecks of each stage, factors of the width: "R50x1" and its sisters, Dosovitskiy et al. 2020, tables 6
and 7, and BiT (arXiv 1912.11370)."""

CONV_STEMS: dict[str, tuple[int, int, float, tuple[int, ...], tuple[int, ...]]] = {
    "1gf": (192, 11, 3.0, (24, 48, 96, 192), (2, 2, 2, 2)),
    "4gf": (384, 11, 3.0, (48, 96, 192, 384), (2, 2, 2, 2)),
    "18gf": (768, 11, 4.0, (64, 128, 128, 256, 256, 512), (2, 2, 1, 2, 1, 2)),
    "36gf": (1024, 13, 4.0, (64, 128, 128, 256, 256, 512), (2, 2, 1, 2, 1, 2)),
}
"""Cost → width of a token, blocks, ratio of the MLP, widths and strides of the stem: ViT_C of Xiao et al. 2021 (arXiv
2106.14881)."""

SHORT_NAMES = {
    **{short: f"{long}_224" for short, (long, _, _) in HYBRIDS.items()},
    **{f"R{count}x{factor}": f"resnetv2_{count}x{factor}_bit" for count in RESNETS for factor in RESNETS[count][1]},
}
"""Names in the papers → rows of `VARIANTS`."""


def stem_rows() -> Iterator[tuple[str, Fields]]:
    """Write out the rows.

    Yields:
        Name and flat fields of each.
    """
    for short, (long, layers, patch) in HYBRIDS.items():
        size = short.partition("+")[2].partition("/")[0]
        for image in (224, 384):
            stem = {"kind": "resnet", "layers": layers}
            yield f"{long}_{image}", {**SIZES[size], "stem": stem, "patch_size": patch, "img_size": image}
    for count, (layers, factors) in RESNETS.items():
        for factor in factors:
            yield f"resnetv2_{count}x{factor}_bit", _resnet(layers, factor)
    for cost, (dim, depth, ratio, widths, strides) in CONV_STEMS.items():
        stem = {"kind": "conv", "widths": widths, "strides": strides, "act": "relu"}
        shape = {"embed_dim": dim, "depth": depth, "num_heads": dim // 64, "mlp_ratio": ratio}
        yield f"vitc_{cost}_224", {**shape, "stem": stem, "patch_size": 16, "img_size": 224}


def _resnet(layers: tuple[int, ...], factor: int) -> Fields:
    """Describe a plain ResNet (BiT) as a stem that makes the tokens, no block after it, and the mean of the tokens."""
    stem = {
        "kind": "resnet", "layers": layers, "width": 64 * factor, "pre_activation": True, "padding": "symmetric",
        "project": False,
    }  # fmt: skip
    shape = {"embed_dim": 2048 * factor, "depth": 0, "num_heads": 32 * factor, "patch_size": 32, "img_size": 224}
    return {**shape, "stem": stem, "class_token": False, "position": "none", "pool": "mean", "norm": "none"}
