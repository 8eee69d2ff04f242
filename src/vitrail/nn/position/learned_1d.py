"""Learned 1-D position: one free vector for each place in raster order. The paper's choice."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.resample import resample, spread
from vitrail.nn.shapes import Grid, Tokens


class Learned1d(Position):
    """Add a learned vector to each token that the table has an entry for.

    Args:
        layout: how the tokens are laid out.
        covers: as for `Learned1dConfig`.
        rule: how the patches' part is carried to another grid: row of `RULES`.
    """

    def __init__(self, layout: Layout, covers: str = "all", rule: str = "timm") -> None:
        super().__init__(layout)
        without = {"all": 0, "class": layout.registers, "patches": layout.prefix_tokens}[covers]
        self.prefix_entries, self.rule = layout.prefix_tokens - without, rule

    def table(self) -> nn.Parameter:
        """Make the table, (1, entries, dim), with standard deviation 0.02."""
        table = torch.empty(1, self.prefix_entries + self.layout.num_patches, self.layout.embed_dim)
        return nn.Parameter(nn.init.normal_(table, std=0.02))

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add the table, carried to the grid; nothing where it has no entry."""
        assert pos_embed is not None
        if grid != self.layout.grid or pos_embed.shape[1] != tokens.shape[1]:
            pos_embed = spread(self._carried(pos_embed, self.layout.grid, grid), tokens.shape[1], grid)
        return tokens + pos_embed

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the patches' part of the table; the prefix stays."""
        return {**state, "pos_embed": self._carried(state["pos_embed"], old, new)}

    def _carried(self, table: Tensor, old: Grid, new: Grid) -> Tensor:
        prefix, patches = table[0].tensor_split([self.prefix_entries])
        return torch.cat([prefix, resample(patches.reshape(*old, -1), new, self.rule).flatten(0, 1)])[None]
