"""Families of Vision Transformers in transformers: one file each, one row each in `FAMILIES`."""

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.weights.formats.families.base import Family
from vitrail.weights.formats.families.clip import Clip
from vitrail.weights.formats.families.dinov2 import Dinov2, Dinov2WithRegisters
from vitrail.weights.formats.families.dinov3 import Dinov3
from vitrail.weights.formats.families.siglip import Siglip
from vitrail.weights.formats.families.vit import Deit, DeitOneHead, Vit, VitMae

FAMILIES: Table[Family] = Table(
    "family of transformers",
    {
        "vit": Vit(),
        "deit": Deit(),
        "deit_one_head": DeitOneHead(),
        "dinov2": Dinov2(),
        "dinov2_with_registers": Dinov2WithRegisters(),
        "dinov3": Dinov3(),
        "clip": Clip(),
        "siglip": Siglip(),
        "vit_mae": VitMae(),
    },
    error=WeightsError,
)
"""The first that can hold a model is the one it is written as."""

__all__ = ["FAMILIES", "Family"]
