"""The Vision Transformer, its config, and the table of variants. Nothing is imported before it is used."""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.models.builders import (
        create_model,
        list_models,
        vit_base_patch16_224_in21k,
        vit_base_patch32_224_in21k,
        vit_huge_patch14_224_in21k,
        vit_large_patch16_224_in21k,
        vit_large_patch32_224_in21k,
    )
    from vitrail.models.config import ViTConfig
    from vitrail.models.vision_transformer import VisionTransformer

__all__ = [
    "ViTConfig",
    "VisionTransformer",
    "create_model",
    "list_models",
    "vit_base_patch16_224_in21k",
    "vit_base_patch32_224_in21k",
    "vit_huge_patch14_224_in21k",
    "vit_large_patch16_224_in21k",
    "vit_large_patch32_224_in21k",
]

_HOMES = {"ViTConfig": "vitrail.models.config", "VisionTransformer": "vitrail.models.vision_transformer"}
__getattr__, __dir__ = lazy_names(__name__, {name: _HOMES.get(name, "vitrail.models.builders") for name in __all__})
