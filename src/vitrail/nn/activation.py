"""The table of activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from vitrail.core.table import Table

ACTIVATIONS: Table[Callable[[], nn.Module]] = Table(
    "activation",
    {
        "gelu": nn.GELU,
        "gelu_tanh": partial(nn.GELU, approximate="tanh"),
        "relu": nn.ReLU,
        "silu": nn.SiLU,
    },
)
