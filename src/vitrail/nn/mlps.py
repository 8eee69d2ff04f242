"""The table of kinds of MLP: each is built from (width of a token, hidden width, activation, dropout)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from vitrail.core.table import Table
from vitrail.nn.mlp import Mlp
from vitrail.nn.swiglu import SwiGlu

MLPS: Table[Callable[[int, int, Any, float], nn.Module]] = Table("mlp", {"mlp": Mlp, "swiglu": SwiGlu})
