"""No stem: the plain Vision Transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vitrail.nn.stem.base import Stem, StemConfig


@dataclass(frozen=True)
class PatchStemConfig(StemConfig):
    """Choose no stem: patches are cut from the image itself.

    Source:
        Dosovitskiy et al. 2020, equation 1.
    """

    kind: ClassVar[str] = "patch"

    def build(self, in_chans: int, embed_dim: int, patch_size: int) -> Stem:
        """Build the empty chain."""
        return Stem({}, out_chans=in_chans, reduction=1)
