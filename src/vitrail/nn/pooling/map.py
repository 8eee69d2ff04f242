"""Attention pooling: a learned query gathers from the patches. Known as MAP, multi-head attention pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad, scaled_dot_product_attention

from vitrail.core.config import require
from vitrail.nn.block_config import BlockConfig
from vitrail.nn.mlp import Mlp
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Heads, Tokens, Vectors


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
        q, k, v = self._heads(tokens[:, prefix_tokens:])
        x = self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return (x + self.mlp(self.norm(x)))[:, 0]

    def attention(self, tokens: Tokens, prefix_tokens: int) -> Float[Tensor, "batch heads patches"]:
        """Write out the weights that the fused attention of `forward` keeps to itself.

        Args:
            tokens: prefix and patches.
            prefix_tokens: how many tokens stand before the patches.

        Returns:
            How much the query takes from each patch.
        """
        q, k, _ = self._heads(tokens[:, prefix_tokens:])
        return (q @ k.transpose(2, 3) * q.shape[3] ** -0.5).softmax(dim=-1)[:, :, 0]

    def _heads(self, patches: Tokens) -> tuple[Float[Tensor, "batch heads 1 head_dim"], Heads, Heads]:
        heads = (self.num_heads, patches.shape[2] // self.num_heads)
        q = self.q(self.latent).unflatten(2, heads).transpose(1, 2).expand(patches.shape[0], -1, -1, -1)
        k, v = self.kv(patches).unflatten(2, (2, *heads)).permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v


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
    reader: ClassVar[str] = "all patches, as the pooling weighs them"

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        require(block.mlp == "mlp", "mlp", block.mlp, "'mlp' with pool 'map'")
        return MapPool(dim, block)

    def reads(self, pool: nn.Module, tokens: Tokens, prefix_tokens: int) -> Float[Tensor, "batch tokens"]:
        """Give the pooling's own attention, mean over heads."""
        return pad(cast(MapPool, pool).attention(tokens, prefix_tokens).mean(dim=1), (prefix_tokens, 0))
