"""The class token as the vector of an image. The paper's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Tokens, Vectors


class ClassTokenPool(nn.Module):
    """Take the class token (the paper's equation 4)."""

    def forward(self, tokens: Tokens, prefix_tokens: int) -> Vectors:
        return tokens[:, 0]


@dataclass(frozen=True)
class ClassTokenPoolConfig(PoolConfig):
    """Choose the class token.

    Source:
        Dosovitskiy et al. 2020, equation 4.
    """

    kind: ClassVar[str] = "class_token"
    needs_class_token: ClassVar[bool] = True

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        return ClassTokenPool()
