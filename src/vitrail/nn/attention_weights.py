"""The weights of attention, written out: the path for looking inside, beside the fused one."""

from __future__ import annotations

from vitrail.nn.attention import Attention
from vitrail.nn.position import Position
from vitrail.nn.shapes import Grid, Scores, Tokens


def attend(attention: Attention, x: Tokens, position: Position, grid: Grid) -> tuple[Scores, Tokens]:
    """Compute how much each token attends to each other one, and what it takes from them.

    Args:
        attention: whose weights.
        x: tokens as they enter it, normalised.
        position: turns queries and keys, gives the bias.
        grid: rows and columns of patches.

    Returns:
        The weights, (batch, heads, tokens, tokens): row = who attends, column = to whom; rows sum to 1; and the output
        of the attention that they make. No dropout.

    Source:
        Dosovitskiy et al. 2020, equation 6.
    """
    q, k, v, bias = attention.project(x, position, grid)
    scores = attention.scale * q @ k.transpose(-2, -1)
    weights = (scores if bias is None else scores + bias).softmax(dim=-1)
    return weights, attention.proj((weights @ v).transpose(1, 2).flatten(2))
