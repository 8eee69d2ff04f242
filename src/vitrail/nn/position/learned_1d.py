"""Learned 1-D position: one free vector for each place in raster order. The paper's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig
from vitrail.nn.shapes import Grid, Tokens


class Learned1d(Position):
    """Add a learned vector to each token, those before the patches included.

    Args:
        layout: how the tokens are laid out.

    Source:
        Dosovitskiy et al. 2020, equation 1; initialised with standard deviation 0.02.
    """

    def table(self) -> nn.Parameter:
        """Make the table, (1, prefix + patches, dim)."""
        rows, columns = self.layout.grid
        table = torch.empty(1, self.layout.prefix_tokens + rows * columns, self.layout.embed_dim)
        return nn.Parameter(nn.init.normal_(table, std=0.02))

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add the table to the tokens."""
        return tokens if pos_embed is None else tokens + pos_embed

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the patches' part of the table (bicubic, antialiased, as timm does); the prefix stays."""
        prefix = state["pos_embed"][:, : self.layout.prefix_tokens]
        patches = state["pos_embed"][:, self.layout.prefix_tokens :]
        image = patches.float().reshape(1, *old, -1).permute(0, 3, 1, 2)
        image = interpolate(image, size=new, mode="bicubic", antialias=True)
        patches = image.permute(0, 2, 3, 1).flatten(1, 2).to(prefix.dtype)
        return {**state, "pos_embed": torch.cat([prefix, patches], dim=1)}


@dataclass(frozen=True)
class Learned1dConfig(PositionConfig):
    """Choose a learned vector for each place.

    Source:
        Dosovitskiy et al. 2020, equation 1 and appendix D.4, row "1-D Pos. Emb.".
    """

    kind: ClassVar[str] = "learned_1d"

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""
        return Learned1d(layout)
