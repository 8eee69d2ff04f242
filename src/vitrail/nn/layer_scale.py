"""Learned factors on a residual branch."""

from __future__ import annotations

import torch
from torch import nn

from vitrail.nn.shapes import Tokens


class LayerScale(nn.Module):
    """Multiply each feature by a learned factor, small at first, so that a deep model begins near the identity.

    Args:
        dim: width of a token.
        value: what every factor begins with.

    Source:
        Touvron et al. 2021 (CaiT, arXiv 2103.17239), equation 4.
    """

    def __init__(self, dim: int, value: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((dim,), value))

    def forward(self, x: Tokens) -> Tokens:
        return x * self.gamma
