"""What a kind of position may do: four hooks, each of which does nothing unless a kind says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import Component
from vitrail.core.table import Table

Grid = tuple[int, int]
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


class Position(nn.Module):
    """Tell tokens where they are. Subclasses override the hooks they need.

    Args:
        layout: how the tokens are laid out.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    def table(self) -> nn.Parameter | None:
        """Make the table of absolute positions that lives in the model as `pos_embed`, as in timm; None if none."""
        return None

    def add(
        self, tokens: Float[Tensor, "batch tokens dim"], pos_embed: Tensor | None, grid: Grid
    ) -> Float[Tensor, "batch tokens dim"]:
        """Add to the tokens before the first block."""
        return tokens

    def rotate(
        self,
        q: Float[Tensor, "batch heads tokens head_dim"],
        k: Float[Tensor, "batch heads tokens head_dim"],
        grid: Grid,
    ) -> tuple[Float[Tensor, "batch heads tokens head_dim"], Float[Tensor, "batch heads tokens head_dim"]]:
        """Turn queries and keys in every block."""
        return q, k

    def bias(
        self, q: Float[Tensor, "batch heads tokens head_dim"], grid: Grid
    ) -> Float[Tensor, "#batch heads tokens tokens"] | None:
        """Give what is added to the scores q·k (after scaling) in every block; None for nothing."""
        return None

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Carry this kind's entries of a model's state dict from one grid to another."""
        return state


class PositionConfig(Component):
    """Choose a kind of position; a callable `layout → Position` is accepted in its place."""

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        from vitrail.nn.position import POSITIONS

        return POSITIONS

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""
        raise NotImplementedError
