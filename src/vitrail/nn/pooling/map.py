"""Attention pooling: a learned query gathers from the patches. Known as MAP, multi-head attention pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from vitrail.core.config import require
from vitrail.nn.block_config import BlockConfig
from vitrail.nn.mlp import Mlp
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Tokens, Vectors


class MapPool(nn.Module):
    """Let one learned query attend to the patches, then transform what it found by an MLP, added back.

    The names of parameters are those of timm's `AttentionPoolLatent`. Tokens before the patches are not attended to.

    Args:
        dim: width of a token.
        block: its num_heads, mlp_ratio, norm and act are used.

    Source:
        Zhai et al. 2022 (arXiv 2106.04560), section 2; `MAPHead` of big_vision; SigLIP's vision tower.
    """

    def __init__(self, dim: int, block: BlockConfig) -> None:
        super().__init__()
        self.num_heads = block.num_heads
        self.latent = nn.Parameter(nn.init.trunc_normal_(torch.empty(1, 1, dim), std=dim**-0.5))
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm = block.norm.build(dim)
        self.mlp = Mlp(dim, int(dim * block.mlp_ratio), block.activation)

    def forward(self, tokens: Tokens, prefix_tokens: int) -> Vectors:
        patches = tokens[:, prefix_tokens:]
        heads = (self.num_heads, patches.shape[2] // self.num_heads)
        q = self.q(self.latent).unflatten(2, heads).transpose(1, 2).expand(patches.shape[0], -1, -1, -1)
        k, v = self.kv(patches).unflatten(2, (2, *heads)).permute(2, 0, 3, 1, 4).unbind(0)
        x = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return (x + self.mlp(self.norm(x)))[:, 0]


@dataclass(frozen=True)
class MapPoolConfig(PoolConfig):
    """Choose attention pooling.

    Args:
        norm_after: normalise what comes out rather than the tokens that go in; the published models do not.

    Raises:
        ConfigError: for a gated MLP, which no published model has here.

    Source:
        Zhai et al. 2022 (arXiv 2106.04560).
    """

    kind: ClassVar[str] = "map"

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        require(block.mlp == "mlp", "mlp", block.mlp, "'mlp' with pool 'map'")
        return MapPool(dim, block)
