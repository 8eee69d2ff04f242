"""What may differ between the blocks of one model and those of another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from vitrail.core.config import require
from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.layer_scale import LayerScale
from vitrail.nn.mlps import MLPS
from vitrail.nn.norm import LayerNormConfig, NormConfig


@dataclass(frozen=True)
class BlockConfig:
    """Describe what is equal in every block.

    Args:
        num_heads: heads of attention; must divide the width.
        mlp_ratio: hidden width of the MLP ÷ width, greater than 0; of a gated one, the width after the gate.
        qkv_bias: whether queries, keys and values have a bias.
        qk_scale: factor on q·k; None is head_dim ** -0.5.
        qk_norm: whether queries and keys are normalised, head by head, before they meet (ViT-22B).
        layer_scale: what the learned factors on both branches begin with; None for no factors (CaiT, DeiT III, DINOv2).
        mlp: kind of MLP, "mlp" or "swiglu".
        norm: kind of normalisation.
        act: name of an activation of the plain MLP, or a callable that builds one.

    Raises:
        ConfigError: for a value out of its range or an unknown name.
    """

    num_heads: int = 12
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    qk_scale: float | None = None
    qk_norm: bool = False
    layer_scale: float | None = None
    mlp: str = "mlp"
    norm: NormConfig = LayerNormConfig()
    act: str | Callable[[], nn.Module] = "gelu"

    def __post_init__(self) -> None:
        require(self.num_heads >= 1, "num_heads", self.num_heads, "1 or more")
        require(0 < self.mlp_ratio < math.inf, "mlp_ratio", self.mlp_ratio, "greater than 0")
        require(self.qk_scale is None or math.isfinite(self.qk_scale), "qk_scale", self.qk_scale, "a finite number")
        scaled = self.layer_scale is None or math.isfinite(self.layer_scale)
        require(scaled, "layer_scale", self.layer_scale, "a finite number, or none")
        _ = MLPS[self.mlp]
        if isinstance(self.act, str):
            _ = ACTIVATIONS[self.act]

    @property
    def activation(self) -> Callable[[], nn.Module]:
        """What builds the activation."""
        return ACTIVATIONS[self.act] if isinstance(self.act, str) else self.act

    def build_mlp(self, dim: int, drop: float) -> nn.Module:
        """Build the MLP of a block.

        Args:
            dim: width of a token.
            drop: dropout after each of its linear layers, 0 ≤ rate < 1.

        Returns:
            A module that keeps the shape of tokens.
        """
        return MLPS[self.mlp](dim, int(dim * self.mlp_ratio), self.activation, drop)

    def build_scale(self, dim: int) -> nn.Module:
        """Build the factors on one branch of a block.

        Args:
            dim: width of a token.

        Returns:
            A module that keeps the shape of tokens; it does nothing where there are no factors.
        """
        return nn.Identity() if self.layer_scale is None else LayerScale(dim, self.layer_scale)


@dataclass(frozen=True)
class DropConfig:
    """Describe what is dropped at random while training.

    Args:
        drop_rate: dropout after every dense layer but q, k, v and after the position is added, 0 ≤ rate < 1.
        attn_drop_rate: dropout on attention weights, 0 ≤ rate < 1.
        drop_path_rate: stochastic depth of the last block, rising linearly from 0 in the first, 0 ≤ rate < 1.

    Raises:
        ConfigError: for a rate out of its range.

    Source:
        Dosovitskiy et al. 2020, appendix B.1 (dropout 0.1 or 0); drop path: DeiT (arXiv 2012.12877).
    """

    drop_rate: float = 0.0
    attn_drop_rate: float = 0.0
    drop_path_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("drop_rate", "attn_drop_rate", "drop_path_rate"):
            require(0.0 <= getattr(self, name) < 1.0, name, getattr(self, name), "0 ≤ rate < 1")
