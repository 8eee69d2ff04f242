"""No pooling: the head sees every token by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Tokens


class NoPool(nn.Module):
    """Keep every token, those before the patches included: logits are (batch, tokens, classes)."""

    def forward(self, tokens: Tokens, prefix_tokens: int) -> Tokens:
        return tokens


@dataclass(frozen=True)
class NoPoolConfig(PoolConfig):
    """Choose no pooling, for backbones of dense tasks; such a model does not classify images.

    Source:
        timm's `global_pool=""`.
    """

    kind: ClassVar[str] = "none"
    per_token: ClassVar[bool] = True
    reader: ClassVar[str] = "each patch by itself, on average"

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        return NoPool()
