"""The shapes that tensors have on their way through the model, by name, and how tokens are laid out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

Images: TypeAlias = Float[Tensor, "batch channels height width"]
Tokens: TypeAlias = Float[Tensor, "batch tokens dim"]
Heads: TypeAlias = Float[Tensor, "batch heads tokens head_dim"]
Scores: TypeAlias = Float[Tensor, "#batch heads tokens tokens"]
Vectors: TypeAlias = Float[Tensor, "batch dim"]
Logits: TypeAlias = Float[Tensor, "batch out"]

Grid: TypeAlias = tuple[int, int]
"""Rows and columns of patches."""


@dataclass(frozen=True)
class Layout:
    """Tell a component how the tokens of a model are laid out.

    Args:
        embed_dim: width of a token.
        num_heads: heads of attention.
        depth: number of blocks.
        grid: rows and columns of patches.
        prefix_tokens: how many tokens stand before the patches (class token, distillation token).
    """

    embed_dim: int
    num_heads: int
    depth: int
    grid: Grid
    prefix_tokens: int
