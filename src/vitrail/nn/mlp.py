"""The two-layer perceptron of a block."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from vitrail.nn.shapes import Tokens


class Mlp(nn.Module):
    """Widen, activate, narrow; dropout after each linear layer, where the paper has it.

    Args:
        dim: width of a token.
        hidden_dim: width in between, 4 × `dim` in the paper.
        act: builds the activation.
        drop: dropout, 0 … 1.

    Source:
        Dosovitskiy et al. 2020, section 3.1 and appendix B.1 (dropout).
    """

    def __init__(self, dim: int, hidden_dim: int, act: Callable[[], nn.Module] = nn.GELU, drop: float = 0.0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.act = act()
        self.drop1 = nn.Dropout(drop)
        self.fc2 = nn.Linear(hidden_dim, dim)
        self.drop2 = nn.Dropout(drop)

    def forward(self, x: Tokens) -> Tokens:
        return self.drop2(self.fc2(self.drop1(self.act(self.fc1(x)))))
