"""The shapes that tensors have on their way through the model, by name."""

from __future__ import annotations

from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

Images: TypeAlias = Float[Tensor, "batch channels height width"]
Tokens: TypeAlias = Float[Tensor, "batch tokens dim"]
Heads: TypeAlias = Float[Tensor, "batch heads tokens head_dim"]
Scores: TypeAlias = Float[Tensor, "#batch heads tokens tokens"]
Vectors: TypeAlias = Float[Tensor, "batch dim"]
Logits: TypeAlias = Float[Tensor, "batch *tokens out"]

Grid: TypeAlias = tuple[int, int]
"""Rows and columns of patches."""
