"""From a name to a model."""

from __future__ import annotations

import fnmatch
from typing import Any

from vitrail.models.config import ViTConfig
from vitrail.models.variants import VARIANTS, variant_fields
from vitrail.models.vision_transformer import VisionTransformer


def create_model(name: str | ViTConfig, **fields: Any) -> VisionTransformer:
    """Build a model with fresh weights.

    Args:
        name: a variant ("S/16", "vit_small_patch16_224"), or a config.
        fields: any field of the config by its flat name, such as `num_classes=5`, `position="none"`.

    Returns:
        The model, in training mode: (batch, channels, height, width) → (batch, classes).

    Raises:
        ConfigError: for unknown names and values that are not allowed.
    """
    if isinstance(name, ViTConfig):
        return VisionTransformer(name.updated(**fields) if fields else name)
    variant = variant_fields(name)
    if "representation_size" in fields:
        variant.pop("has_logits", None)
    return VisionTransformer(ViTConfig.of(**{**variant, **fields}))


def list_models(pattern: str = "*") -> list[str]:
    """List the names of variants.

    Args:
        pattern: shell pattern such as "*base*"; a plain word matches anywhere in a name.

    Returns:
        Names, in the order of the table; each can be given to `create_model`.
    """
    wanted = pattern if any(character in pattern for character in "*?[") else f"*{pattern}*"
    return [name for name in VARIANTS if fnmatch.fnmatchcase(name, wanted)]


def vit_base_patch16_224_in21k(num_classes: int = 21843, has_logits: bool = True) -> VisionTransformer:
    """Build the original post's ViT-B/16 for ImageNet-21k.

    Args:
        num_classes: classes of the head; 0 for none.
        has_logits: whether a tanh layer of width 768 precedes the head.

    Returns:
        The model with fresh weights. Unlike in the post, stochastic depth is 0 unless asked for.
    """
    return create_model("vit_base_patch16_224_in21k", num_classes=num_classes, has_logits=has_logits)


def vit_base_patch32_224_in21k(num_classes: int = 21843, has_logits: bool = True) -> VisionTransformer:
    """Build the original post's ViT-B/32 for ImageNet-21k.

    Args:
        num_classes: classes of the head; 0 for none.
        has_logits: whether a tanh layer of width 768 precedes the head.

    Returns:
        The model with fresh weights.
    """
    return create_model("vit_base_patch32_224_in21k", num_classes=num_classes, has_logits=has_logits)


def vit_large_patch16_224_in21k(num_classes: int = 21843, has_logits: bool = True) -> VisionTransformer:
    """Build the original post's ViT-L/16 for ImageNet-21k.

    Args:
        num_classes: classes of the head; 0 for none.
        has_logits: whether a tanh layer of width 1024 precedes the head.

    Returns:
        The model with fresh weights.
    """
    return create_model("vit_large_patch16_224_in21k", num_classes=num_classes, has_logits=has_logits)


def vit_large_patch32_224_in21k(num_classes: int = 21843, has_logits: bool = True) -> VisionTransformer:
    """Build the original post's ViT-L/32 for ImageNet-21k.

    Args:
        num_classes: classes of the head; 0 for none.
        has_logits: whether a tanh layer of width 1024 precedes the head.

    Returns:
        The model with fresh weights.
    """
    return create_model("vit_large_patch32_224_in21k", num_classes=num_classes, has_logits=has_logits)


def vit_huge_patch14_224_in21k(num_classes: int = 21843, has_logits: bool = True) -> VisionTransformer:
    """Build the original post's ViT-H/14 for ImageNet-21k.

    Args:
        num_classes: classes of the head; 0 for none.
        has_logits: whether a tanh layer of width 1280 precedes the head.

    Returns:
        The model with fresh weights.
    """
    return create_model("vit_huge_patch14_224_in21k", num_classes=num_classes, has_logits=has_logits)
