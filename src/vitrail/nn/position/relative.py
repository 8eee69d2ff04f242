"""Relative position as the paper defines it: queries attend to embeddings of how far away a key is in the sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import ScoresConfig
from vitrail.nn.position.resample import resample
from vitrail.nn.shapes import Grid, Heads, Scores


class Relative(Position):
    """Bias the score of query i and key j by q_i · r_(j-i) / √head_dim, with one learned key r for each offset.

    Offsets count along the sequence (prefix with its registers, then patches in raster order), so the next row is one
    row's length away. Row n - 1 of `keys` is offset 0, n tokens in all. Heads share the keys.

    Args:
        layout: how the tokens are laid out.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, "relative positional embeddings". The paper leaves three things open:
        here heads share the keys, the bias is scaled as scores are by default (whatever `qk_scale` is), and the tokens
        before the patches take part at their places in the sequence.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout)
        self.keys = nn.Parameter(0.02 * torch.randn(2 * layout.num_tokens - 1, layout.head_dim))

    def bias(self, q: Heads, grid: Grid) -> Scores:
        """Give the scores of the queries with the relative keys."""
        n = q.shape[2]
        keys = self.keys if grid == self.layout.grid else self._carried(self.keys, self.layout.grid, grid)
        scores = self.layout.head_dim**-0.5 * q @ keys.T
        # Column m of row i is offset m - (n - 1), wanted in column i + m - (n - 1). Written with one column more and
        # read with the old width, row i is moved by i.
        moved = pad(scores, (0, 1)).flatten(-2)[..., : n * (2 * n - 1)].reshape(*q.shape[:3], 2 * n - 1)
        return moved[..., n - 1 :]

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Carry the offsets between patches over as offsets in two dimensions; the outermost ones stay.

        An offset of the sequence stands for steps (rows, columns), or for two such steps. These are spread out as an
        image, interpolated (bicubic, antialiased), and gathered: a new offset gets the mean over the pairs of patches
        that are so far apart. The paper has no rule.

        Args:
            state: the whole state dict, or this part of it.
            old: rows and columns it was made for.
            new: rows and columns wanted.
        """
        return {**state, "position.keys": self._carried(state["position.keys"], old, new)}

    def _carried(self, keys: Tensor, old: Grid, new: Grid) -> Tensor:
        prefix = self.layout.prefix_tokens
        before, inner, after = keys.tensor_split([prefix, prefix + 2 * old[0] * old[1] - 1])
        exact = inner.to(torch.promote_types(keys.dtype, torch.float32))
        steps = resample(exact[_offsets(old, keys.device)], (2 * new[0] - 1, 2 * new[1] - 1))
        rows, columns = (side - torch.arange(1 - side, side, device=keys.device).abs() for side in new)
        pairs = (rows[:, None] * columns)[..., None].to(steps.dtype)
        index = _offsets(new, keys.device).flatten()
        gathered, count = (
            steps.new_zeros(2 * new[0] * new[1] - 1, each.shape[-1]).index_add(0, index, each.flatten(0, 1))
            for each in (pairs * steps, pairs)
        )
        return torch.cat([before, (gathered / count).to(keys.dtype), after])


def _offsets(grid: Grid, device: torch.device) -> Tensor:
    """Say where in the keys of patches each pair of steps is, (2 · rows - 1, 2 · columns - 1)."""
    rows, columns = (torch.arange(1 - side, side, device=device) for side in grid)
    return rows[:, None] * grid[1] + columns + grid[0] * grid[1] - 1


@dataclass(frozen=True)
class RelativeConfig(ScoresConfig):
    """Choose relative position along the sequence.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, row "Rel. Pos. Emb.".
    """

    kind: ClassVar[str] = "relative"

    def layer(self, layout: Layout) -> Position:
        """Build the keys' owner."""
        return Relative(layout)
