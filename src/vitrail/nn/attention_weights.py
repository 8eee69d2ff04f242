"""The weights of attention, written out: the path for looking inside, beside the fused one."""

from __future__ import annotations

from vitrail.nn.attention import Attention
from vitrail.nn.block import Block
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


def run_block(block: Block, x: Tokens, position: Position, grid: Grid) -> tuple[Scores, Tokens]:
    """Run one layer of the encoder, its attention written out.

    Args:
        block: the layer.
        x: tokens as they enter it.
        position: enters, turns queries and keys, gives the bias.
        grid: rows and columns of patches.

    Returns:
        The weights, (batch, heads, tokens, tokens), and the tokens that leave the layer. They are part of the graph of
        gradients. Nothing is dropped on the two branches as wholes; what is dropped within them is as the mode says.

    Source:
        Dosovitskiy et al. 2020, equations 2 and 3.
    """
    x = position.enter(x, grid)
    weights, attended = attend(block.attn, block.norm1(x), position, grid)
    x = x + block.ls1(attended)
    return weights, x + block.ls2(block.mlp(block.norm2(x)))
