"""Attention against the formula written out, head by head."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from vitrail.nn.attention import Attention
from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.position import Layout, Position

GRID = (2, 3)


def no_position(dim=12, heads=3):
    return Position(Layout(dim, heads, 1, GRID, 0))


def build(heads, drop=None, **fields):
    return Attention(12, BlockConfig(num_heads=heads, **fields), drop or DropConfig())


def explicit(attention, x, scale, bias=None):
    """Appendix A of the paper, one head at a time."""
    dim = x.shape[-1]
    width = dim // attention.num_heads
    weight, offset = attention.qkv.weight, attention.qkv.bias
    out = []
    for head in range(attention.num_heads):
        rows = [slice(part * dim + head * width, part * dim + (head + 1) * width) for part in range(3)]
        q, k, v = (x @ weight[row].T + (0 if offset is None else offset[row]) for row in rows)
        scores = q @ k.transpose(1, 2) * scale
        scores = scores if bias is None else scores + bias[:, head]
        scores = (scores - scores.max(dim=-1, keepdim=True).values).exp()
        out.append(scores / scores.sum(dim=-1, keepdim=True) @ v)
    return torch.cat(out, dim=-1) @ attention.proj.weight.T + attention.proj.bias


@pytest.mark.parametrize("heads", [1, 3, 12])
@pytest.mark.parametrize("qkv_bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("qk_scale", [None, 0.37, 1.0], ids=["default scale", "scale 0.37", "scale 1"])
def test_it_is_the_formula(heads, qkv_bias, qk_scale):
    torch.manual_seed(0)
    attention = build(heads, qkv_bias=qkv_bias, qk_scale=qk_scale).double()
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    assert (attention.qkv.bias is not None) == qkv_bias
    expected = explicit(attention, x, qk_scale or 1 / math.sqrt(12 / heads))
    torch.testing.assert_close(attention(x, no_position(heads=heads), GRID), expected, rtol=0, atol=1e-13)


@torch.no_grad()
def test_queries_and_keys_are_normalised_head_by_head_before_the_position_turns_them():
    class Twice(Position):
        def rotate(self, q, k, grid):
            return 2 * q, k

    attention = build(3, qk_norm=True, qkv_bias=False).double()
    for norm in (attention.q_norm, attention.k_norm):
        assert norm.weight.shape == (4,)
        norm.weight.normal_(), norm.bias.normal_()
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    q, k, v = attention.qkv(x).reshape(2, 6, 3, 3, 4).permute(2, 0, 3, 1, 4)
    q, k = (
        (part - part.mean(-1, keepdim=True)) / (part.var(-1, keepdim=True, correction=0) + 1e-6).sqrt() * norm.weight
        + norm.bias
        for part, norm in ((q, attention.q_norm), (k, attention.k_norm))
    )
    weights = (2 * q @ k.transpose(2, 3) / 2).softmax(dim=-1)
    expected = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, Twice(Layout(12, 3, 1, GRID, 0)), GRID), expected, rtol=0, atol=1e-13)


def test_the_position_turns_queries_and_keys_and_biases_scores():
    class Both(Position):
        def rotate(self, q, k, grid):
            assert grid == GRID
            return 2 * q, 3 * k

        def bias(self, q, grid):
            assert grid == GRID
            torch.manual_seed(5)
            return torch.randn(1, 3, 6, 6, dtype=q.dtype)

    torch.manual_seed(0)
    attention = build(3).double()
    x = torch.randn(2, 6, 12, dtype=torch.float64)
    position = Both(Layout(12, 3, 1, GRID, 0))
    bias = position.bias(x, GRID)
    expected = explicit(attention, x, 6 / math.sqrt(4), bias)
    torch.testing.assert_close(attention(x, position, GRID), expected, rtol=0, atol=1e-13)


def test_dropout_on_weights_and_output_only_while_training(monkeypatch):
    seen = []

    def spy(*arguments, dropout_p, **named):
        seen.append(dropout_p)
        return scaled_dot_product_attention(*arguments, dropout_p=dropout_p, **named)

    monkeypatch.setattr("vitrail.nn.attention.scaled_dot_product_attention", spy)
    torch.manual_seed(0)
    attention = build(3, DropConfig(attn_drop_rate=0.25, drop_rate=0.5))
    x = torch.randn(2, 6, 12)
    out = attention(x, no_position(), GRID)
    assert 0.2 < (out == 0).float().mean() < 0.8, "half of the output is dropped"
    attention.eval()
    torch.testing.assert_close(attention(x, no_position(), GRID), explicit(attention, x, 0.5), rtol=0, atol=1e-6)
    assert seen == [0.25, 0.0]
    assert [type(child) for child in attention.children() if isinstance(child, nn.Dropout)] == [nn.Dropout]
