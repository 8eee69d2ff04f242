"""One layer of the encoder (the paper's equations 2 and 3)."""

from __future__ import annotations

from torch import nn

from vitrail.nn.attention import Attention
from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.drop_path import DropPath
from vitrail.nn.position import Position
from vitrail.nn.shapes import Grid, Tokens


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
        self.norm1 = config.norm.build(dim)
        self.attn = Attention(dim, config, drop)
        self.ls1 = config.build_scale(dim)
        self.drop_path1 = DropPath(drop_path)
        self.norm2 = config.norm.build(dim)
        self.mlp = config.build_mlp(dim, drop.drop_rate)
        self.ls2 = config.build_scale(dim)
        self.drop_path2 = DropPath(drop_path)

    def forward(self, x: Tokens, position: Position, grid: Grid) -> Tokens:
        x = position.enter(x, grid)
        x = x + self.drop_path1(self.ls1(self.attn(self.norm1(x), position, grid)))
        return x + self.drop_path2(self.ls2(self.mlp(self.norm2(x))))
