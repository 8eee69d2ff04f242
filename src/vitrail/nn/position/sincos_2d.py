"""Fixed 2-D position: sines and cosines of the column and of the row. Nothing is learned."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from vitrail.core.config import require
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import AbsoluteConfig
from vitrail.nn.position.resample import spread
from vitrail.nn.shapes import Grid, Tokens


class Sincos2d(Position):
    """Add [sin x·ω, cos x·ω, sin y·ω, cos y·ω] to each patch, x its column, y its row; nothing to the prefix.

    Args:
        layout: how the tokens are laid out.
        frequencies: as for `Sincos2dConfig`.
        temperature: as for `Sincos2dConfig`.

    Raises:
        ConfigError: if the width of a token is not a multiple of 4.

    Source:
        Beyer et al. 2022 (arXiv 2205.01580) and its code, big_vision; He et al. 2021 (arXiv 2111.06377) and its code.
    """

    def __init__(self, layout: Layout, frequencies: str, temperature: float) -> None:
        super().__init__(layout)
        require(layout.embed_dim % 4 == 0, "embed_dim", layout.embed_dim, "multiples of 4 with position 'sincos_2d'")
        quarter = layout.embed_dim // 4
        steps = max(1, quarter - 1) if frequencies == "big_vision" else quarter
        self.omega = [temperature ** (-index / steps) for index in range(quarter)]

    def add(self, tokens: Tokens, pos_embed: Tensor | None, grid: Grid) -> Tokens:
        """Add the waves to the patches."""
        device, dtype = tokens.device, torch.promote_types(tokens.dtype, torch.float32)
        omega = torch.tensor(self.omega, dtype=dtype, device=device)
        rows, columns = [torch.arange(side, dtype=dtype, device=device)[:, None] * omega for side in grid]
        x = torch.cat([columns.sin(), columns.cos()], dim=-1).expand(grid[0], -1, -1)
        y = torch.cat([rows.sin(), rows.cos()], dim=-1)[:, None].expand(-1, grid[1], -1)
        patches = torch.cat([x, y], dim=-1).flatten(0, 1)
        # Under autocast the sum stays float32, as it does with a learned table: the residual stream begins here.
        autocast = torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
        kept = dtype if autocast else tokens.dtype
        return tokens + spread(patches, tokens.shape[1], grid).to(kept)


@dataclass(frozen=True)
class Sincos2dConfig(AbsoluteConfig):
    """Choose fixed sines and cosines.

    Coordinates are whole numbers from 0, so another grid needs no resizing: it begins the same and goes on.

    Args:
        frequencies: ω of the k-th quarter-width entry, n = dim / 4: "big_vision": temperature ** (-k / (n - 1));
            "mae": temperature ** (-k / n), also MoCo-v3's, whose code has the rows in x's place.
        temperature: the longest wavelength ÷ the shortest (for "mae" nearly), greater than 1.

    Raises:
        ConfigError: for other names, or a temperature out of its range.

    Source:
        Beyer et al. 2022 (arXiv 2205.01580); He et al. 2021 (arXiv 2111.06377), after Chen et al. 2021 (MoCo-v3, arXiv
        2104.02057).
    """

    kind: ClassVar[str] = "sincos_2d"
    frequencies: Literal["big_vision", "mae"] = "big_vision"
    temperature: float = 10_000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        known = self.frequencies in ("big_vision", "mae")
        require(known, "position.frequencies", self.frequencies, "big_vision, mae")
        valid = 1 < self.temperature < math.inf
        require(valid, "position.temperature", self.temperature, "greater than 1")

    def absolute(self, layout: Layout) -> Position:
        """Build what adds the waves."""
        return Sincos2d(layout, self.frequencies, self.temperature)
