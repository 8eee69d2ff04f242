"""What a kind of position may do: hooks, each of which does nothing unless a kind says otherwise."""

from __future__ import annotations

from torch import Tensor, nn

from vitrail.nn.layout import Layout
from vitrail.nn.shapes import Grid, Heads, Scores, Tokens


class Position(nn.Module):
    """Tell tokens where they are. Subclasses override the hooks they need.

    Args:
        layout: how the tokens are laid out.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.layout = layout

    @property
    def by_layer(self) -> list[Position]:
        """What each block is given: this, unless layers differ."""
        return [self] * self.layout.depth

    def table(self) -> nn.Parameter | None:
        """Make the table of absolute positions that the model holds as `pos_embed`, as in timm; None if none."""
        return None

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add to the tokens before the first block: what `table` made, unless a kind says otherwise.

        Args:
            tokens: prefix and patches.
            pos_embed: what `table` made.
            grid: rows and columns of patches.
        """
        return tokens if pos_embed is None else tokens + pos_embed

    def enter(self, tokens: Tokens, grid: Grid) -> Tokens:
        """Add to the tokens as they enter a block.

        Args:
            tokens: prefix and patches.
            grid: rows and columns of patches.
        """
        return tokens

    def rotate(self, q: Heads, k: Heads, grid: Grid) -> tuple[Heads, Heads]:
        """Turn queries and keys, in every block.

        Args:
            q: queries.
            k: keys.
            grid: rows and columns of patches.
        """
        return q, k

    def bias(self, q: Heads, grid: Grid) -> Scores | None:
        """Give what is added to the scaled scores q·k, in every block; None for nothing.

        Args:
            q: queries, for kinds whose bias depends on the content.
            grid: rows and columns of patches.
        """
        return None

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Carry this kind's entries of a model's state dict from one grid to another.

        Args:
            state: the whole state dict.
            old: rows and columns it was made for.
            new: rows and columns wanted.
        """
        return state
