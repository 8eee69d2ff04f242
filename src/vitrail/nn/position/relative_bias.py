"""Relative position bias in 2-D: one learned number for each head and each pair of steps (rows, columns)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, pad

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import ScoresConfig
from vitrail.nn.position.resample import resample
from vitrail.nn.shapes import Grid, Heads, Scores


class RelativeBias(Position):
    """Bias the score of a query and a key by the steps between them, the same for every content.

    Entry (Δr + rows - 1)(2 · columns - 1) + (Δc + columns - 1) of the table is for Δ = place of the query - place of
    the key. Tokens before the patches, registers too, have three entries more: from one of them to a patch, from a
    patch to one of them, between two of them.

    Args:
        layout: how the tokens are laid out.

    Source:
        Liu et al. 2021 (Swin, arXiv 2103.14030), equation 4; Bao et al. 2021 (BEiT, arXiv 2106.08254) for the class
        token. Name, order and initial deviation of the table are timm's. BEiT has one token before the patches; here
        all of them share its entries.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        rows, columns = layout.grid
        entries = (2 * rows - 1) * (2 * columns - 1) + 3 * (layout.prefix_tokens > 0)
        table = torch.empty(entries, layout.num_heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))

    def bias(self, q: Heads, grid: Grid) -> Scores:
        """Look the bias of every pair up."""
        own, table = self.layout.grid, self.relative_position_bias_table
        entries = table if grid == own else self._carried(table, own, grid)
        return embedding(self._index(grid, q.device), entries).permute(2, 0, 1)[None].to(q.dtype)

    def _index(self, grid: Grid, device: torch.device) -> Tensor:
        rows, columns = grid
        place = torch.arange(rows * columns, device=device)
        row, column = place // columns, place % columns
        index = (row[:, None] - row + rows - 1) * (2 * columns - 1) + column[:, None] - column + columns - 1
        prefix, entries = self.layout.prefix_tokens, (2 * rows - 1) * (2 * columns - 1)
        index = pad(index, (prefix, 0, 0, 0), value=entries + 1)
        index = pad(index, (0, 0, prefix, 0), value=entries)
        index[:prefix, :prefix] = entries + 2
        return index

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Interpolate the steps between patches (bicubic, antialiased); the prefix's entries stay."""
        name = "position.relative_position_bias_table"
        return {**state, name: self._carried(state[name], old, new)}

    def _carried(self, table: Tensor, old: Grid, new: Grid) -> Tensor:
        before, after = ((2 * rows - 1, 2 * columns - 1) for rows, columns in (old, new))
        steps, prefix = table.tensor_split([before[0] * before[1]])
        return torch.cat([resample(steps.reshape(*before, -1), after).flatten(0, 1), prefix])


@dataclass(frozen=True)
class RelativeBiasConfig(ScoresConfig):
    """Choose a table of biases by relative place.

    Source:
        Liu et al. 2021 (Swin, arXiv 2103.14030); Bao et al. 2021 (BEiT, arXiv 2106.08254).
    """

    kind: ClassVar[str] = "relative_bias"

    def layer(self, layout: Layout) -> Position:
        """Build the table's owner."""
        return RelativeBias(layout)
