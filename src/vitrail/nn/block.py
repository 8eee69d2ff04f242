"""One layer of the encoder (the paper's equations 2 and 3)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import require
from vitrail.nn.attention import Attention
from vitrail.nn.drop_path import DropPath
from vitrail.nn.mlp import ACTIVATIONS, Mlp
from vitrail.nn.norm import LayerNormConfig, NormConfig
from vitrail.nn.position import Grid, Position


@dataclass(frozen=True)
class BlockConfig:
    """Describe what is equal in every block.

    Args:
        num_heads: heads of attention; must divide the width.
        mlp_ratio: hidden width of the MLP ÷ width, greater than 0.
        qkv_bias: whether queries, keys and values have a bias.
        qk_scale: factor on q·k; None is head_dim ** -0.5.
        norm: kind of normalisation.
        act: name of an activation, or a callable that builds one.

    Raises:
        ConfigError: for a value out of its range or an unknown name.
    """

    num_heads: int = 12
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    qk_scale: float | None = None
    norm: NormConfig = LayerNormConfig()
    act: str | Callable[[], nn.Module] = "gelu"

    def __post_init__(self) -> None:
        require(self.num_heads >= 1, "num_heads", self.num_heads, "1 or more")
        require(0 < self.mlp_ratio < math.inf, "mlp_ratio", self.mlp_ratio, "greater than 0")
        require(self.qk_scale is None or math.isfinite(self.qk_scale), "qk_scale", self.qk_scale, "a finite number")
        if isinstance(self.act, str):
            _ = ACTIVATIONS[self.act]


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


class Block(nn.Module):
    """Attend, then transform each token; each on a normalised copy, each added back.

    Args:
        dim: width of a token.
        config: what is equal in every block.
        drop: dropout rates.
        drop_path: stochastic depth of this block, 0 ≤ rate < 1.

    Source:
        Dosovitskiy et al. 2020, equations 2 and 3.
    """

    def __init__(self, dim: int, config: BlockConfig, drop: DropConfig, drop_path: float = 0.0) -> None:
        super().__init__()
        act = ACTIVATIONS[config.act] if isinstance(config.act, str) else config.act
        self.norm1 = config.norm.build(dim)
        self.attn = Attention(
            dim, config.num_heads, config.qkv_bias, config.qk_scale, drop.attn_drop_rate, drop.drop_rate
        )
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = config.norm.build(dim)
        self.mlp = Mlp(dim, int(dim * config.mlp_ratio), act, drop.drop_rate)
        self.drop_path2 = DropPath(drop_path)

    def forward(
        self, x: Float[Tensor, "batch tokens dim"], position: Position, grid: Grid
    ) -> Float[Tensor, "batch tokens dim"]:
        x = x + self.drop_path1(self.attn(self.norm1(x), position, grid))
        return x + self.drop_path2(self.mlp(self.norm2(x)))
