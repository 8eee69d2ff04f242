"""What a Predictor hands back for one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Prediction:
    """Hold the answer for one image.

    Args:
        path: the image, as it was named; "" for images that have no name.
        label: the most probable class; "unsure" where the answer would put a promised error rate at risk; None if the
            image could not be used.
        probability: probability of the most probable class, 0 … 1; None likewise.
        top: the most probable classes with their probabilities, best first.
        error: why the image could not be used; None if it could.
    """

    path: str
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...]
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `predict --json` prints.

        Returns:
            Keys path, label, probability, top, error.
        """
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        return {
            "path": self.path, "label": self.label, "probability": self.probability, "top": top, "error": self.error
        }  # fmt: skip


@dataclass(frozen=True)
class Embedding:
    """Hold the features of one image.

    Args:
        path: the image, as it was named; "" for images that have no name.
        features: (dim,) or (tokens, dim) float32; None if the image could not be used.
        error: why the image could not be used; None if it could.
        grid: rows and columns of patches that the image was cut into; None if it could not be used.
    """

    path: str
    features: npt.NDArray[np.float32] | None
    error: str | None = None
    grid: tuple[int, int] | None = None
