"""The gated perceptron of a block."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn
from torch.nn.functional import silu

from vitrail.nn.shapes import Tokens


class SwiGlu(nn.Module):
    """Widen twice, gate one half by SiLU of the other, narrow; dropout after each linear layer.

    Rows of `fc1` are the gate, then what is gated, as in timm's `SwiGLUPacked` and in DINOv2's `w12`.

    Args:
        dim: width of a token.
        hidden_dim: width after the gate.
        act: not used; a gated perceptron has its own.
        drop: dropout, 0 … 1.

    Source:
        Shazeer 2020 (arXiv 2002.05202), equation 6, with biases as in DINOv2.
    """

    def __init__(self, dim: int, hidden_dim: int, act: Callable[[], nn.Module] = nn.SiLU, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 2 * hidden_dim)
        self.drop1 = nn.Dropout(drop)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop2 = nn.Dropout(drop)

    def forward(self, x: Tokens) -> Tokens:
        gate, value = self.fc1(x).chunk(2, dim=-1)
        return self.drop2(self.fc2(self.drop1(silu(gate) * value)))
