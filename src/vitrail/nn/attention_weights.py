"""The weights of attention, written out: the path for looking inside, beside the fused one."""

from __future__ import annotations

from vitrail.nn.attention import Attention
from vitrail.nn.position import Position
from vitrail.nn.shapes import Grid, Scores, Tokens


def attention_weights(attention: Attention, x: Tokens, position: Position, grid: Grid) -> Scores:
    """Compute how much each token attends to each other one.

    Args:
        attention: whose weights.
        x: tokens as they enter it, normalised.
        position: turns queries and keys, gives the bias.
        grid: rows and columns of patches.

    Returns:
        (batch, heads, tokens, tokens): row = who attends, column = to whom; rows sum to 1. No dropout.

    Source:
        Dosovitskiy et al. 2020, equation 6.
    """
    q, k, _, bias = attention.project(x, position, grid)
    scores = attention.scale * q @ k.transpose(-2, -1)
    return (scores if bias is None else scores + bias).softmax(dim=-1)
