"""Convolutions and max pooling that make the tokens themselves: the tokenizer of Compact Transformers."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from vitrail.core.config import require
from vitrail.nn.stem.base import Stem, StemConfig


@dataclass(frozen=True)
class CctStemConfig(StemConfig):
    """Choose the convolutional tokenizer: convolution, ReLU, max pooling, as many times as the patch size asks for.

    CCT-7/3x1 has patches of 2 pixels, CCT-2/3x2 of 4, CCT-14/7x2 of 16 (`kernel_size` 7).

    Args:
        kernel_size: side of the kernels in pixels, odd.
        width: channels after every convolution but the last, which gives tokens.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        Hassani et al. 2021 (arXiv 2104.05704), section 3.3.
    """

    kind: ClassVar[str] = "cct"
    kernel_size: int = 3
    width: int = 64

    def __post_init__(self) -> None:
        require(self.kernel_size % 2 == 1 and self.kernel_size >= 1, "stem.kernel_size", self.kernel_size, "1, 3, 5 …")
        require(self.width >= 1, "stem.width", self.width, "1 or more")

    def build(self, in_chans: int, embed_dim: int, patch_size: int) -> Stem:
        """Build the chain."""
        half = self.kernel_size // 2
        stride = max(1, half - 1)
        count = max(1, round(math.log(patch_size, 2 * stride)))
        power = (2 * stride) ** count == patch_size
        require(power, "patch_size", patch_size, f"a power of {2 * stride} with this stem")
        layers: dict[str, nn.Module] = {}
        widths = [in_chans, *[self.width] * (count - 1), embed_dim]
        for index, (narrow, wide) in enumerate(itertools.pairwise(widths)):
            layers[f"conv{index}"] = nn.Conv2d(narrow, wide, self.kernel_size, stride, half, bias=False)
            layers[f"act{index}"] = nn.ReLU()
            layers[f"pool{index}"] = nn.MaxPool2d(3, stride=2, padding=1)
        return Stem(layers, embed_dim, patch_size, makes_tokens=True)
