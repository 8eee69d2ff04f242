"""The table of activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from vitrail.core.table import Table
from vitrail.nn.shapes import Tokens


class QuickGelu(nn.Module):
    """Approximate GELU by x · sigmoid(1.702 x), up to 0.02 away from it.

    Source:
        OpenAI's CLIP, whose weights were trained with it.
    """

    def forward(self, x: Tokens) -> Tokens:
        return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: Table[Callable[[], nn.Module]] = Table(
    "activation",
    {
        "gelu": nn.GELU,
        "gelu_tanh": partial(nn.GELU, approximate="tanh"),
        "quick_gelu": QuickGelu,
        "relu": nn.ReLU,
        "silu": nn.SiLU,
    },
)
