"""Multi-head self-attention, fused: the weights are never written out."""

from __future__ import annotations

from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.position import Position
from vitrail.nn.shapes import Grid, Heads, Scores, Tokens


class Attention(nn.Module):
    """Let every token attend to every token, in `num_heads` subspaces at once.

    Args:
        dim: width of a token.
        config: num_heads, which must divide `dim`, qkv_bias, qk_scale, qk_norm, norm.
        drop: attn_drop_rate on the weights (the paper's models use 0), drop_rate on the output.

    Source:
        Dosovitskiy et al. 2020, appendix A. Rows of `qkv` are q, k, v, each head after head, as in timm.
    """

    def __init__(self, dim: int, config: BlockConfig, drop: DropConfig) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        head_dim = dim // config.num_heads
        self.scale = config.qk_scale if config.qk_scale is not None else head_dim**-0.5
        self.attn_drop = drop.attn_drop_rate
        self.qkv = nn.Linear(dim, 3 * dim, bias=config.qkv_bias)
        self.q_norm = config.norm.build(head_dim) if config.qk_norm else nn.Identity()
        self.k_norm = config.norm.build(head_dim) if config.qk_norm else nn.Identity()
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(drop.drop_rate)

    def project(self, x: Tokens, position: Position, grid: Grid) -> tuple[Heads, Heads, Heads, Scores | None]:
        """Compute queries, keys, values and the position's bias on the scores.

        Args:
            x: tokens.
            position: turns queries and keys, gives the bias.
            grid: rows and columns of patches.
        """
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.num_heads, dim // self.num_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        q, k = position.rotate(self.q_norm(q), self.k_norm(k), grid)
        return q, k, v, position.bias(q, grid)

    def forward(self, x: Tokens, position: Position, grid: Grid) -> Tokens:
        q, k, v, bias = self.project(x, position, grid)
        dropout = self.attn_drop if self.training else 0.0
        out = scaled_dot_product_attention(q, k, v, attn_mask=bias, dropout_p=dropout, scale=self.scale)
        return self.proj_drop(self.proj(out.transpose(1, 2).flatten(2)))
