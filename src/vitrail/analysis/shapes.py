"""What the functions of this room take: attention of one block, as a tensor or an array."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.core.errors import ConfigError

Attention: TypeAlias = Tensor | npt.NDArray[Any]
"""(images, heads, tokens, tokens); row = who attends, column = to whom."""
Maps: TypeAlias = Float[Tensor, "images rows columns"]
PerHead: TypeAlias = Float[Tensor, " heads"]


def as_attention(attention: Attention) -> Float[Tensor, "images heads tokens tokens"]:
    """Bring attention weights to float64 on the CPU, in which oracles hold to 1e-6 pixels.

    Args:
        attention: (images, heads, tokens, tokens).

    Returns:
        The same numbers.

    Raises:
        ConfigError: for any other shape.
    """
    tensor = attention if isinstance(attention, Tensor) else torch.tensor(np.asarray(attention, dtype=np.float64))
    if tensor.ndim != 4 or tensor.shape[2] != tensor.shape[3] or 0 in tensor.shape:
        raise ConfigError(
            f"attention has shape {tuple(tensor.shape)}; allowed: (images, heads, tokens, tokens)",
            hint="the weights of one block, as `vitrail.analysis.attention_weights` gives them",
        )
    return tensor.to("cpu", torch.float64)
