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
    """

    def __init__(self, layout: Layout, covers: str = "all") -> None:
        super().__init__(layout)
        prefix = layout.prefix_tokens
        self.prefix_entries = {"all": prefix, "class": prefix - layout.registers, "patches": 0}[covers]

    def table(self) -> nn.Parameter:
        """Make the table, (1, entries, dim), with standard deviation 0.02."""
        table = torch.empty(1, self.prefix_entries + self.layout.num_patches, self.layout.embed_dim)
        return nn.Parameter(nn.init.normal_(table, std=0.02))

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add the table; zeros where it has no entry."""
        assert pos_embed is not None
        return tokens + (
            pos_embed if pos_embed.shape[1] == tokens.shape[1] else spread(pos_embed, tokens.shape[1], grid)
        )

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the patches' part of the table (bicubic, antialiased, as timm does); the prefix stays."""
        prefix, patches = state["pos_embed"][0].tensor_split([self.prefix_entries])
        patches = resample(patches.reshape(*old, -1), new).flatten(0, 1)
        return {**state, "pos_embed": torch.cat([prefix, patches])[None]}
