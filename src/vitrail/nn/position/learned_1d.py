"""Learned 1-D position: one free vector for each place in raster order. The paper's choice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import AbsoluteConfig
from vitrail.nn.position.resample import resample
from vitrail.nn.shapes import Grid


class Learned1d(Position):
    """Add a learned vector to each token, those before the patches included."""

    def table(self) -> nn.Parameter:
        """Make the table, (1, prefix + patches, dim), with standard deviation 0.02."""
        table = torch.empty(1, self.layout.num_tokens, self.layout.embed_dim)
        return nn.Parameter(nn.init.normal_(table, std=0.02))

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the patches' part of the table (bicubic, antialiased, as timm does); the prefix stays."""
        prefix, patches = state["pos_embed"][0].tensor_split([self.layout.prefix_tokens])
        patches = resample(patches.reshape(*old, -1), new).flatten(0, 1)
        return {**state, "pos_embed": torch.cat([prefix, patches])[None]}


@dataclass(frozen=True)
class Learned1dConfig(AbsoluteConfig):
    """Choose a learned vector for each place.

    Source:
        Dosovitskiy et al. 2020, equation 1 and appendix D.4, row "1-D Pos. Emb.".
    """

    kind: ClassVar[str] = "learned_1d"

    def absolute(self, layout: Layout) -> Position:
        """Build the table's owner."""
        return Learned1d(layout)
