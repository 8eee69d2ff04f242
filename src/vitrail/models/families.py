"""The rows of `VARIANTS` for the Vision Transformer's successors: what each family changes, and its sizes. Data only.

A field's dotted name is that of a part ("position.covers"); where no field is named, a family is as the paper's model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vitrail.models.sizes import SIZES

Fields = dict[str, Any]

EPS_1E_5: Fields = {"norm": {"kind": "layer_norm", "eps": 1e-5}}

DEIT_3: Fields = {"position.covers": "patches", "position.resize": "deit", "layer_scale": 1e-6}
"""Touvron et al. 2022 (arXiv 2204.07118): no position for the class token, layer scale."""
DEIT_3_ROWS = (
    ("small", "S", 16, 224), ("small", "S", 16, 384), ("medium", "M", 16, 224), ("base", "B", 16, 224),
    ("base", "B", 16, 384), ("large", "L", 16, 224), ("large", "L", 16, 384), ("huge", "H", 14, 224),
)  # fmt: skip

MAE: Fields = {"pool": "mean", "position.resize": "mae"}
"""He et al. 2022 (arXiv 2111.06377), as fine-tuned: the mean of the patches; the class token stays."""
MAE_ROWS = (("base", "B", 16), ("large", "L", 16), ("huge", "H", 14))

GIANT_2: Fields = {"embed_dim": 1536, "depth": 40, "num_heads": 24, "mlp_ratio": 8 / 3, "mlp": "swiglu"}
DINO_2: Fields = {
    "patch_size": 14, "img_size": 518, "num_classes": 0, "layer_scale": 1e-5, "position.resize": "dinov2",
}  # fmt: skip
DINO_2_REGISTERS: Fields = {"registers": 4, "position.covers": "class", "position.resize": "dinov2_registers"}
"""Oquab et al. 2023 (arXiv 2304.07193); registers: Darcet et al. 2023 (arXiv 2309.16588)."""
DINO_2_SIZES: tuple[tuple[str, Fields], ...] = (
    ("small", SIZES["S"]), ("base", SIZES["B"]), ("large", SIZES["L"]), ("giant", GIANT_2),
)  # fmt: skip

DINO_3: Fields = {
    "patch_size": 16, "img_size": 224, "num_classes": 0, "layer_scale": 1e-5, "registers": 4, "position": "rope_2d",
    **EPS_1E_5,
}  # fmt: skip
"""Siméoni et al. 2025 (arXiv 2508.10104). Keys have a bias here, which is zero in the published weights."""
DINO_3_SIZES: tuple[tuple[str, Fields], ...] = (
    ("small", SIZES["S"]),
    ("small_plus", {**SIZES["S"], "mlp": "swiglu"}),
    ("base", SIZES["B"]),
    ("large", SIZES["L"]),
    ("huge_plus", {**SIZES["H"], "num_heads": 20, "mlp": "swiglu"}),
    ("7b", {"embed_dim": 4096, "depth": 40, "num_heads": 32, "mlp_ratio": 2.0, "mlp": "swiglu"}),
)

CLIP: Fields = {"pre_norm": True, "patch_bias": False, **EPS_1E_5}
"""Radford et al. 2021 (arXiv 2103.00020); the weights of OpenAI want QuickGELU, those of OpenCLIP mostly GELU."""
CLIP_ROWS = (
    ("base", "B", 32, 224, 512), ("base", "B", 16, 224, 512), ("large", "L", 14, 224, 768),
    ("large", "L", 14, 336, 768), ("huge", "H", 14, 224, 1024), ("giant", "g", 14, 224, 1024),
    ("gigantic", "G", 14, 224, 1280),
)  # fmt: skip
QUICK_GELU_SIZES = ("B", "L")

SIGLIP: Fields = {"class_token": False, "pool": "map", "num_classes": 0, "act": "gelu_tanh"}
"""Zhai et al. 2023 (arXiv 2303.15343): attention pooling, no class token."""
SIGLIP_ROWS = (
    ("base", "B", 32, 256), ("base", "B", 16, 224), ("base", "B", 16, 256), ("base", "B", 16, 384),
    ("base", "B", 16, 512), ("large", "L", 16, 256), ("large", "L", 16, 384), ("large", "L", 16, 512),
    ("so400m", "So400m", 14, 224), ("so400m", "So400m", 14, 378), ("so400m", "So400m", 16, 256),
    ("so400m", "So400m", 16, 384), ("so400m", "So400m", 16, 512), ("giantopt", "g-opt", 16, 256),
    ("giantopt", "g-opt", 16, 384),
)  # fmt: skip

BASELINE: Fields = {
    "img_size": 224, "class_token": False, "position": "sincos_2d", "pool": {"kind": "mean", "norm_after": False},
}  # fmt: skip
"""Beyer et al. 2022, "Better plain ViT baselines" (arXiv 2205.01580), with a linear head or a tanh layer before it."""


def family_rows() -> Iterator[tuple[str, Fields]]:
    """List the rows.

    Yields:
        name → flat fields for `ViTConfig.of`; names are timm's where timm has the model.
    """
    for long, size, patch, image in DEIT_3_ROWS:
        name = f"deit3_{long}_patch{patch}_{image}"
        yield name, {**SIZES[size], **DEIT_3, "patch_size": patch, "img_size": image}
    for long, size, patch in MAE_ROWS:
        yield f"mae_{long}_patch{patch}_224", {**SIZES[size], **MAE, "patch_size": patch, "img_size": 224}
    for long, fields in DINO_2_SIZES:
        yield f"vit_{long}_patch14_dinov2", {**fields, **DINO_2}
        yield f"vit_{long}_patch14_reg4_dinov2", {**fields, **DINO_2, **DINO_2_REGISTERS}
    for long, fields in DINO_3_SIZES:
        yield f"vit_{long}_patch16_dinov3", {**fields, **DINO_3}
    for long, size, patch, image, classes in CLIP_ROWS:
        fields = {**SIZES[size], **CLIP, "patch_size": patch, "img_size": image, "num_classes": classes}
        yield f"vit_{long}_patch{patch}_clip_{image}", fields
        if size in QUICK_GELU_SIZES:
            yield f"vit_{long}_patch{patch}_clip_quickgelu_{image}", {**fields, "act": "quick_gelu"}
    for long, size, patch, image in SIGLIP_ROWS:
        fields = {**SIZES[size], **SIGLIP, "patch_size": patch, "img_size": image}
        yield f"vit_{long}_patch{patch}_siglip_{image}", fields
    for long, size in (("tiny", "Ti"), ("small", "S"), ("base", "B")):
        yield f"vit_{long}_patch16_baseline_224", {**SIZES[size], **BASELINE, "patch_size": 16}
        yield f"vit_{long}_patch16_baseline_tanh_224", {**SIZES[size], **BASELINE, "patch_size": 16, "has_logits": True}
