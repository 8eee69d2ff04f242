"""Kinds of stem, what an image goes through before it is cut into patches: one file a kind, one row each in `STEMS`."""

from vitrail.core.table import Table
from vitrail.nn.stem.base import Stem, StemConfig
from vitrail.nn.stem.cct import CctStemConfig
from vitrail.nn.stem.conv import ConvStemConfig
from vitrail.nn.stem.patch import PatchStemConfig
from vitrail.nn.stem.resnet import ResNetStemConfig

STEMS: Table[type[StemConfig]] = Table(
    "stem", {row.kind: row for row in (PatchStemConfig, ConvStemConfig, CctStemConfig, ResNetStemConfig)}
)

__all__ = ["STEMS", "CctStemConfig", "ConvStemConfig", "PatchStemConfig", "ResNetStemConfig", "Stem", "StemConfig"]
