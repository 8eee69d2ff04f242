"""What brings logits to where their softmax means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Calibration:
    """Hold two numbers that stretch the gaps between logits; the order of a row's logits is kept.

    Args:
        temperature: gaps are divided by it, greater than 0; 1 for nothing.
        exponent: gaps are then raised to it, greater than 0; 1 for a temperature alone. Above 1, large gaps grow more
            than small ones: what a model needs that learned from smoothed labels, which keep its gaps from growing.
    """

    temperature: float = 1.0
    exponent: float = 1.0

    @property
    def changes(self) -> bool:
        """Whether probabilities become others."""
        return self.temperature != 1 or self.exponent != 1

    def apply(self, logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Stretch the gaps.

        Args:
            logits: (n, classes) floats.

        Returns:
            (n, classes) of the same type: −((highest − logit) ÷ temperature) ** exponent, up to a constant of the row.
        """
        if self.exponent == 1:
            return np.asarray(logits / logits.dtype.type(self.temperature))
        gaps = (logits.max(axis=1, keepdims=True) - logits) / logits.dtype.type(self.temperature)
        return np.asarray(-(gaps ** logits.dtype.type(self.exponent)))
