"""How the way from tokens to one vector is chosen."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import Component
from vitrail.core.table import Table
from vitrail.nn.block_config import BlockConfig
from vitrail.nn.shapes import Tokens


class PoolConfig(Component):
    """Choose how tokens become one vector; a callable `(dim, block) → module` is accepted in its place.

    `needs_class_token` says that the model must have one; `norm_after` that the final normalisation comes after
    pooling (timm's `fc_norm`) rather than before (`norm`); `per_token` that there is one vector for each token, so that
    the model does not classify images; `reader`, in words, whose tokens the head reads where it is not the class token.
    """

    needs_class_token: ClassVar[bool] = False
    per_token: ClassVar[bool] = False
    reader: ClassVar[str] = "all patches, on average"
    norm_after: bool = False

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        from vitrail.nn.pooling import POOLS

        return POOLS

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module for tokens of width `dim` and such blocks: (tokens, number of prefix tokens) → vector."""
        raise NotImplementedError

    def reads(self, pool: nn.Module, tokens: Tokens, prefix_tokens: int) -> Float[Tensor, "batch tokens"]:
        """Say what part of what the head reads comes from each token.

        Args:
            pool: what `build` made.
            tokens: what goes into it.
            prefix_tokens: how many tokens stand before the patches.

        Returns:
            Weights that sum to 1: all from the class token, or from every patch alike, unless a kind says otherwise.
        """
        weights = torch.zeros(tokens.shape[:2], dtype=tokens.dtype, device=tokens.device)
        read = weights[:, :1] if self.needs_class_token else weights[:, prefix_tokens:]
        read.fill_(1 / read.shape[1])
        return weights
