"""The paper's relative position against a double loop over queries and keys."""

import math

import pytest
import torch
from timm.layers import resample_abs_pos_embed

from vitrail.nn.attention import Attention
from vitrail.nn.attention_weights import attend
from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.position import Layout, Relative

HEADS, WIDTH = 3, 4


def relative(grid, prefix):
    position = Relative(Layout(HEADS * WIDTH, HEADS, 1, grid, prefix)).double()
    with torch.no_grad():
        position.keys.normal_()
    return position


@torch.no_grad()
def double_loop(position, q):
    """Let each query attend to the embedding of each key's offset."""
    batch, heads, n, width = q.shape
    bias = torch.zeros(batch, heads, n, n, dtype=q.dtype)
    for i in range(n):
        for j in range(n):
            bias[:, :, i, j] = q[:, :, i] @ position.keys[j - i + n - 1] / math.sqrt(width)
    return bias


@pytest.mark.parametrize("grid", [(2, 3), (1, 1), (4, 2)], ids=str)
@pytest.mark.parametrize("prefix", [0, 1, 2])
def test_it_is_the_double_loop(grid, prefix):
    position = relative(grid, prefix)
    q = torch.randn(2, HEADS, position.layout.num_tokens, WIDTH, dtype=torch.float64)
    torch.testing.assert_close(position.bias(q, grid), double_loop(position, q), rtol=0, atol=1e-13)


@torch.no_grad()
def test_attention_adds_it_before_the_softmax():
    position = relative((2, 3), 1)
    attention = Attention(HEADS * WIDTH, BlockConfig(num_heads=HEADS), DropConfig()).double()
    x = torch.randn(2, 7, HEADS * WIDTH, dtype=torch.float64)
    q, k, v = attention.qkv(x).reshape(2, 7, 3, HEADS, WIDTH).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-2, -1) / math.sqrt(WIDTH) + double_loop(position, q)).softmax(dim=-1)
    torch.testing.assert_close(attend(attention, x, position, (2, 3))[0], weights, rtol=0, atol=1e-13)
    expected = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x, position, (2, 3)), expected, rtol=0, atol=1e-13)


def test_there_is_a_key_for_every_offset():
    assert Relative(Layout(768, 12, 1, (14, 14), 1)).keys.shape == (393, 64)
    assert Relative(Layout(768, 12, 1, (14, 14), 0)).keys.shape == (391, 64)
    assert Relative(Layout(768, 12, 1, (14, 14), 1)).keys.std().item() == pytest.approx(0.02, rel=0.03)


def mean_over_pairs(keys, old, new):
    """Spread the keys out by steps, let timm interpolate, and average over every pair of new patches."""
    rows, columns = old
    middle = rows * columns - 1
    steps = [
        keys[middle + down * columns + right] for down in range(1 - rows, rows) for right in range(1 - columns, columns)
    ]
    sizes = [[2 * side - 1 for side in grid] for grid in (new, old)]
    image = resample_abs_pos_embed(torch.stack(steps)[None], *sizes, num_prefix_tokens=0)[0]
    image = image.reshape(*sizes[0], -1)
    gathered = {}
    places = [(row, column) for row in range(new[0]) for column in range(new[1])]
    for i, (row, column) in enumerate(places):
        for j, (other_row, other_column) in enumerate(places):
            step = image[other_row - row + new[0] - 1, other_column - column + new[1] - 1]
            gathered.setdefault(j - i, []).append(step)
    return torch.stack([torch.stack(gathered[offset]).mean(dim=0) for offset in sorted(gathered)])


@pytest.mark.parametrize("new", [(3, 4), (6, 8), (2, 2), (5, 3), (1, 1), (1, 7)], ids=str)
@pytest.mark.parametrize("prefix", [0, 2])
def test_resizing_is_the_mean_over_pairs_of_patches(new, prefix):
    position = relative((3, 4), prefix).float()
    keys = position.keys.detach()
    resized = position.resize({"position.keys": keys}, (3, 4), new)["position.keys"]
    assert resized.shape == relative(new, prefix).keys.shape
    inner, outer = slice(prefix, len(resized) - prefix), slice(0, prefix)
    expected = mean_over_pairs(keys[prefix : len(keys) - prefix], (3, 4), new)
    torch.testing.assert_close(resized[inner], expected, rtol=0, atol=2e-6)
    assert torch.equal(resized[outer], keys[outer])
    assert torch.equal(resized[len(resized) - prefix :], keys[len(keys) - prefix :])
