"""Attention rollout against closed forms."""

import numpy as np
import pytest
import torch

from vitrail.analysis import attention_rollout
from vitrail.core.errors import ConfigError


def one_head(matrix):
    return torch.as_tensor(matrix, dtype=torch.float64)[None, None]


@pytest.mark.parametrize(("depth", "diagonal", "other"), [(1, 0.6, 0.1), (2, 0.4, 0.15), (3, 0.3, 0.175)])
def test_uniform_attention(depth, diagonal, other):
    rollout = attention_rollout([torch.full((2, 3, 5, 5), 0.2)] * depth)
    expected = torch.full((5, 5), other, dtype=torch.float64).fill_diagonal_(diagonal)
    torch.testing.assert_close(rollout, expected.expand(2, 5, 5), rtol=0, atol=1e-7)


@pytest.mark.parametrize(("depth", "tokens"), [(1, 2), (4, 197), (12, 17)])
def test_uniform_attention_in_general(depth, tokens):
    rollout = attention_rollout([one_head(np.full((tokens, tokens), 1 / tokens))] * depth)[0]
    other = (1 - 2.0**-depth) / tokens
    expected = torch.full((tokens, tokens), other, dtype=torch.float64).fill_diagonal_(2.0**-depth + other)
    torch.testing.assert_close(rollout, expected, rtol=0, atol=1e-12)


def test_identity_attention_is_the_identity():
    assert torch.equal(attention_rollout([one_head(np.eye(6))] * 4)[0], torch.eye(6, dtype=torch.float64))


def test_later_blocks_multiply_from_the_left():
    first = np.array([[0.9, 0.1, 0.0], [0.0, 0.5, 0.5], [0.2, 0.2, 0.6]])
    second = np.array([[0.0, 1.0, 0.0], [0.3, 0.3, 0.4], [1.0, 0.0, 0.0]])
    one, two = (0.5 * matrix + 0.5 * np.eye(3) for matrix in (first, second))
    rollout = attention_rollout([one_head(first), one_head(second)])[0].numpy()
    np.testing.assert_allclose(rollout, two @ one, rtol=0, atol=1e-15)
    assert np.abs(rollout - one @ two).max() > 0.05


def test_heads_are_averaged_and_rows_normalised():
    heads = torch.rand(2, 4, 6, 6, dtype=torch.float64)
    mixed = 0.5 * heads.mean(dim=1) + 0.5 * torch.eye(6, dtype=torch.float64)
    expected = mixed / mixed.sum(dim=-1, keepdim=True)
    torch.testing.assert_close(attention_rollout([heads]), expected, rtol=0, atol=1e-15)
    total = attention_rollout([heads, heads, heads]).sum(dim=-1)
    torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=1e-12)


def test_arrays_and_generators_are_taken():
    attention = np.full((1, 2, 5, 5), 0.2, dtype=np.float32)
    attention.setflags(write=False)
    assert float(attention_rollout(attention for _ in range(2))[0, 0, 0]) == pytest.approx(0.4, abs=1e-7)


@pytest.mark.parametrize(
    "attentions",
    [[], [torch.ones(5, 5)], [torch.ones(1, 2, 5, 4)], [torch.ones(1, 2, 5, 5), torch.ones(1, 2, 4, 4)]],
    ids=["none", "no heads", "not square", "two sizes"],
)
def test_other_shapes_are_refused(attentions):
    with pytest.raises(ConfigError):
        attention_rollout(attentions)
