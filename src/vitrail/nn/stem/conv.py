"""Convolutions in place of one wide patch projection."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from vitrail.core.config import require
from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.stem.base import Stem, StemConfig


@dataclass(frozen=True)
class ConvStemConfig(StemConfig):
    """Choose 3×3 convolutions, each normalised and activated, that do the patch's whole reduction.

    Args:
        widths: channels of each convolution; empty: doubling up to the width of a token.
        strides: stride of each; their product must divide the patch size. Empty: one of stride 1, then halvings up to
            the patch size, which must then be a power of two.
        act: row of `ACTIVATIONS`.

    Raises:
        ConfigError: if the lengths differ, a value is below 1 or the activation is unknown.

    Source:
        Xiao et al. 2021 (arXiv 2106.14881), whose stem has act="relu" and strides that multiply to the patch size, so
        that the projection after it is 1×1. The default has a first convolution at full resolution, for small images.
    """

    kind: ClassVar[str] = "conv"
    widths: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    act: str = "gelu"

    def __post_init__(self) -> None:
        same = not self.widths or not self.strides or len(self.widths) == len(self.strides)
        require(same, "stem.widths", self.widths, f"as many as strides ({len(self.strides)})")
        require(all(value >= 1 for value in self.widths), "stem.widths", self.widths, "1 or more each")
        require(all(value >= 1 for value in self.strides), "stem.strides", self.strides, "1 or more each")
        _ = ACTIVATIONS[self.act]

    def build(self, in_chans: int, embed_dim: int, patch_size: int) -> Stem:
        """Build the chain."""
        halvings = patch_size.bit_length() - 1
        power = self.strides or 2**halvings == patch_size
        require(bool(power), "patch_size", patch_size, "a power of two with a conv stem, or give stem.strides")
        count = len(self.strides or self.widths) or halvings + 1
        strides = self.strides or (1,) * (count - halvings) + (2,) * halvings
        widths = self.widths or tuple(max(8, embed_dim // 2 ** (count - 1 - step)) for step in range(count))
        require(len(widths) == len(strides), "stem.widths", widths, f"{len(strides)} widths")
        layers: dict[str, nn.Module] = {}
        for index, (narrow, wide) in enumerate(itertools.pairwise((in_chans, *widths))):
            layers[f"conv{index}"] = nn.Conv2d(narrow, wide, 3, stride=strides[index], padding=1, bias=False)
            layers[f"norm{index}"] = nn.BatchNorm2d(wide)
            layers[f"act{index}"] = ACTIVATIONS[self.act]()
        return Stem(layers, out_chans=widths[-1], reduction=math.prod(strides))
