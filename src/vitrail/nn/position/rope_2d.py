"""Rotary 2-D position: queries and keys are turned by angles that grow with the row and with the column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from vitrail.core.config import require
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig
from vitrail.nn.shapes import Grid, Heads


class Rope2d(Position):
    """Turn pairs of features of each patch's query and key: half of the pairs by its row, half by its column.

    Rows and columns run from -1 to 1, at the patches' centres, so another grid needs no resizing. Tokens before the
    patches, registers too, are not turned.

    Args:
        layout: how the tokens are laid out.
        temperature: as for `Rope2dConfig`.

    Raises:
        ConfigError: if the width of a head is not a multiple of 4.

    Source:
        Siméoni et al. 2025 (DINOv3, arXiv 2508.10104), after Su et al. 2021 (RoFormer, arXiv 2104.09864). Features i
        and i + head_dim / 2 are a pair. What DINOv3 does to the coordinates while training (shift, jitter, rescale) is
        not done.
    """

    def __init__(self, layout: Layout, temperature: float) -> None:
        super().__init__(layout)
        allowed = "multiples of 4 with position 'rope_2d'"
        require(layout.head_dim % 4 == 0, "embed_dim / num_heads", layout.head_dim, allowed)
        quarter = layout.head_dim // 4
        self.omega = [2 * math.pi * temperature ** (-index / quarter) for index in range(quarter)]

    def rotate(self, q: Heads, k: Heads, grid: Grid) -> tuple[Heads, Heads]:
        """Turn the patches' queries and keys."""
        dtype = torch.promote_types(q.dtype, torch.float32)
        omega = torch.tensor(self.omega, dtype=dtype, device=q.device)
        places = [(2 * torch.arange(side, dtype=dtype, device=q.device) + 1) / side - 1 for side in grid]
        rows, columns = [place[:, None] * omega for place in places]
        angles = torch.cat([rows[:, None].expand(-1, grid[1], -1), columns.expand(grid[0], -1, -1)], dim=-1)
        angles = angles.flatten(0, 1).repeat(1, 2)
        cos, sin = angles.cos().to(q.dtype), angles.sin().to(q.dtype)
        return self._turn(q, cos, sin), self._turn(k, cos, sin)

    def _turn(self, x: Heads, cos: Tensor, sin: Tensor) -> Heads:
        prefix, patches = x.tensor_split([self.layout.prefix_tokens], dim=2)
        first, second = patches.chunk(2, dim=-1)
        return torch.cat([prefix, patches * cos + torch.cat([-second, first], dim=-1) * sin], dim=2)


@dataclass(frozen=True)
class Rope2dConfig(PositionConfig):
    """Choose rotary position along both axes, in every layer.

    Args:
        temperature: the k-th of n = head_dim / 4 frequencies is 2π · temperature ** (-k / n); greater than 1.

    Raises:
        ConfigError: for a temperature out of its range.

    Source:
        Siméoni et al. 2025 (DINOv3, arXiv 2508.10104).
    """

    kind: ClassVar[str] = "rope_2d"
    temperature: float = 100.0

    def __post_init__(self) -> None:
        valid = 1 < self.temperature < math.inf
        require(valid, "position.temperature", self.temperature, "greater than 1")

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""
        return Rope2d(layout, self.temperature)
