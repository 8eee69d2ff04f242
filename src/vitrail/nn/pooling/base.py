"""How the way from tokens to one vector is chosen."""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from vitrail.core.config import Component
from vitrail.core.table import Table
from vitrail.nn.block_config import BlockConfig


class PoolConfig(Component):
    """Choose how tokens become one vector; a callable `(dim, block) → module` is accepted in its place.

    `needs_class_token` says that the model must have one; `norm_after` that the final normalisation comes after
    pooling (timm's `fc_norm`) rather than before (`norm`).
    """

    needs_class_token: ClassVar[bool] = False
    norm_after: bool = False

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        from vitrail.nn.pooling import POOLS

        return POOLS

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module for tokens of width `dim` and such blocks: (tokens, number of prefix tokens) → vector."""
        raise NotImplementedError
