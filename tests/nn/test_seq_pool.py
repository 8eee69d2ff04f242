"""Sequence pooling: its equation, and what it says that it reads."""

import torch

from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling import SeqPoolConfig


def made(dim):
    return SeqPoolConfig().build(dim, BlockConfig(num_heads=1))


@torch.no_grad()
def test_it_is_a_mean_weighted_by_the_softmax_of_scores():
    pool, tokens = made(6).double(), torch.randn(3, 7, 6, dtype=torch.float64)
    scores = torch.einsum("btd,d->bt", tokens[:, 2:], pool.fc.weight[0]) + pool.fc.bias
    weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
    expected = torch.einsum("bt,btd->bd", weights, tokens[:, 2:])
    torch.testing.assert_close(pool(tokens, 2), expected, rtol=0, atol=1e-12)
    assert weights.std() > 0.01, "the scores must matter"


@torch.no_grad()
def test_it_says_what_it_reads():
    pool, tokens = made(6), torch.randn(3, 7, 6)
    reads = SeqPoolConfig().reads(pool, tokens, 2)
    assert reads[:, :2].abs().max() == 0
    torch.testing.assert_close(torch.einsum("bt,btd->bd", reads, tokens), pool(tokens, 2))
