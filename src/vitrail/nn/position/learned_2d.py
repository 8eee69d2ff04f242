"""Learned 2-D position: half of a vector for the column, half for the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from vitrail.core.config import require
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import TableConfig
from vitrail.nn.position.resample import resample, spread
from vitrail.nn.shapes import Grid, Tokens


class Learned2d(Position):
    """Add to each patch the vector of its column beside that of its row, each half as wide as a token.

    Args:
        layout: how the tokens are laid out.
        prefix: as for `Learned2dConfig`.
        rule: how rows and columns are carried to another grid: row of `RULES`.

    Raises:
        ConfigError: if tokens have an odd width.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, "2-dimensional positional embedding"; initialised as the 1-D table is.
    """

    def __init__(self, layout: Layout, prefix: bool = False, rule: str = "timm") -> None:
        super().__init__(layout)
        require(layout.embed_dim % 2 == 0, "embed_dim", layout.embed_dim, "even numbers with position 'learned_2d'")
        self.columns = nn.Parameter(0.02 * torch.randn(layout.grid[1], layout.embed_dim // 2))
        self.rows = nn.Parameter(0.02 * torch.randn(layout.grid[0], layout.embed_dim // 2))
        own = layout.prefix_tokens - layout.registers if prefix else 0
        self.prefix = nn.Parameter(0.02 * torch.randn(own, layout.embed_dim)) if own else None
        self.rule = rule

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add the two halves to the patches, carried to the grid."""
        rows, columns = self._carried(self.rows, grid[0]), self._carried(self.columns, grid[1])
        halves = [columns.expand(grid[0], -1, -1), rows[:, None].expand(-1, grid[1], -1)]
        patches = torch.cat(halves, dim=-1).flatten(0, 1)
        table = patches if self.prefix is None else torch.cat([self.prefix, patches])
        return tokens + spread(table, tokens.shape[1], grid)

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the rows and the columns; the prefix stays."""
        sides = {"position.rows": new[0], "position.columns": new[1]}
        return {**state, **{name: self._carried(state[name], side) for name, side in sides.items()}}

    def _carried(self, vectors: Tensor, side: int) -> Tensor:
        return resample(vectors[None], (1, side), self.rule)[0]


@dataclass(frozen=True)
class Learned2dConfig(TableConfig):
    """Choose a learned vector for each column and one for each row.

    Args:
        prefix: whether class token and distillation token have a vector of their own; the paper does not say. Registers
            have none.

    Raises:
        ConfigError: for another place or an unknown rule.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, row "2-D Pos. Emb.".
    """

    kind: ClassVar[str] = "learned_2d"
    prefix: bool = False

    def absolute(self, layout: Layout) -> Position:
        """Build the two tables' owner."""
        return Learned2d(layout, self.prefix, self.resize)
