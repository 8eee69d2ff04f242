"""How the tokens of a model are laid out, for components that need to know."""

from __future__ import annotations

from dataclasses import dataclass

from vitrail.nn.shapes import Grid


@dataclass(frozen=True)
class Layout:
    """Tell a component how the tokens of a model are laid out.

    Args:
        embed_dim: width of a token.
        num_heads: heads of attention.
        depth: number of blocks.
        grid: rows and columns of patches.
        prefix_tokens: how many tokens stand before the patches: class token, distillation token, registers.
        registers: how many of these, the last ones, are registers.
    """

    embed_dim: int
    num_heads: int
    depth: int
    grid: Grid
    prefix_tokens: int
    registers: int = 0

    @property
    def num_patches(self) -> int:
        """How many patches there are."""
        return self.grid[0] * self.grid[1]

    @property
    def num_tokens(self) -> int:
        """Length of the sequence: patches and the tokens before them."""
        return self.prefix_tokens + self.num_patches

    @property
    def head_dim(self) -> int:
        """Width of a token in one head."""
        return self.embed_dim // self.num_heads
