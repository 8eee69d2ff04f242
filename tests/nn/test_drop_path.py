"""Stochastic depth: per sample, scaled so that the mean stays, off in evaluation."""

import pytest
import torch

from vitrail.nn.drop_path import DropPath


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(), (3,), (2, 5)], ids=["numbers", "vectors", "tokens"])
def test_each_sample_is_kept_whole_or_dropped_whole(rate, shape):
    torch.manual_seed(0)
    n = 20_000
    x = torch.rand(n, *shape) + 1
    out = DropPath(rate)(x).reshape(n, -1)
    kept = out[:, 0] != 0
    assert torch.equal(out != 0, kept[:, None].expand_as(out))
    torch.testing.assert_close(out[kept], x.reshape(n, -1)[kept] / (1 - rate), rtol=1e-6, atol=0)
    deviation = (rate * (1 - rate) / n) ** 0.5
    assert abs(1 - kept.float().mean() - rate) < 4 * deviation
    assert abs((out.mean() / x.mean()) - 1) < 5 * deviation / (1 - rate)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)], ids=["rate 0", "evaluation"])
def test_it_does_nothing_with_rate_0_or_in_evaluation(rate, training):
    x = torch.randn(4, 3, 2)
    assert DropPath(rate).train(training)(x) is x


def test_samples_are_drawn_independently_and_follow_the_seed():
    path, x = DropPath(0.5), torch.ones(4000)
    torch.manual_seed(1)
    first, second = path(x), path(x)
    torch.manual_seed(1)
    assert torch.equal(path(x), first)
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 4 / 4000**0.5
    assert abs(torch.corrcoef(torch.stack([first[1:], first[:-1]]))[0, 1]) < 4 / 4000**0.5


def test_the_gradient_is_that_of_the_kept():
    torch.manual_seed(0)
    x = torch.randn(8, 3, requires_grad=True)
    out = DropPath(0.5)(x)
    out.sum().backward()
    expected = torch.where(out != 0, 2.0, 0.0)
    assert 0 < (expected == 0).sum() < expected.numel()
    assert torch.equal(x.grad, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_the_type_is_kept(dtype):
    assert DropPath(0.5)(torch.ones(4, 2, dtype=dtype)).dtype == dtype
