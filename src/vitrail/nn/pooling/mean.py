"""The mean of the patches as the vector of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Tokens, Vectors


class MeanPool(nn.Module):
    """Take the mean of the patches; tokens before them do not count."""

    def forward(self, tokens: Tokens, prefix_tokens: int) -> Vectors:
        return tokens[:, prefix_tokens:].mean(dim=1)


@dataclass(frozen=True)
class MeanPoolConfig(PoolConfig):
    """Choose the mean of the patches.

    Args:
        norm_after: normalise the mean, as timm does (`fc_norm`), rather than the tokens, as big_vision does (`norm`).

    Source:
        Dosovitskiy et al. 2020, appendix D.3 (GAP).
    """

    kind: ClassVar[str] = "mean"
    norm_after: bool = True

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        return MeanPool()
