"""The table of engines."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from vitrail.core.table import Table
from vitrail.engines.torch_engine import TorchEngine

Engine = Callable[[Tensor], Tensor]

ENGINES: Table[Callable[..., Engine]] = Table("engine", {"torch": TorchEngine})


def build_engine(name: str, model: nn.Module, exact: bool = True, device: str = "cpu") -> Engine:
    """Make a model executable.

    Args:
        name: row of `ENGINES`.
        model: what to run.
        exact: keep float32 results; False allows an engine to trade accuracy for speed within its stated bound.
        device: where it runs.

    Returns:
        A callable: (batch, channels, height, width) float32 → (batch, out) float32.

    Raises:
        ConfigError: for an unknown engine.
    """
    return ENGINES[name](model, device)
