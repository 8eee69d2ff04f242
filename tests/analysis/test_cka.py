"""CKA against its definition by quadruples, its limits and its invariances."""

import itertools
import math

import numpy as np
import pytest
import torch

from vitrail.analysis import LinearCKA, linear_cka
from vitrail.analysis.cka import gram
from vitrail.core.errors import ConfigError


def features(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hsic_by_quadruples(x, y):
    """Compute the U-statistic of HSIC as it is defined, over all four different images."""
    k, m, n = (x @ x.T).tolist(), (y @ y.T).tolist(), len(x)
    four = itertools.permutations(range(n), 4)
    total = math.fsum(k[i][j] * (m[i][j] + m[q][r] - 2 * m[i][q]) for i, j, q, r in four)
    return total / math.perm(n, 4)


@pytest.mark.parametrize("n", [4, 5, 7])
def test_it_is_the_u_statistic(n):
    x, y = features(n, 3), features(n, 5, seed=1) + features(n, 3)[:, :1]
    own = hsic_by_quadruples(x, x) * hsic_by_quadruples(y, y)
    if own > 0:
        assert linear_cka(x, y) == pytest.approx(hsic_by_quadruples(x, y) / math.sqrt(own), abs=1e-9)
    pair = LinearCKA(2)
    pair.add([gram(x), gram(y)])
    expected = [[hsic_by_quadruples(a, b) for b in (x, y)] for a in (x, y)]
    np.testing.assert_allclose(pair.hsic.numpy(), expected, rtol=0, atol=1e-9)


def test_many_images_give_the_closed_form_of_kornblith():
    x = features(2000, 4)
    y = x @ features(4, 6, seed=1) + 0.5 * features(2000, 6, seed=2)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    closed = (y.T @ x).square().sum() / ((x.T @ x).norm() * (y.T @ y).norm())
    assert linear_cka(x, y) == pytest.approx(float(closed), abs=2e-3)
    assert 0.5 < closed < 0.95


def test_what_does_not_change_it():
    x, y = features(12, 2, 4), features(12, 5, seed=1) + features(12, 8)[:, :5]
    turn, _ = torch.linalg.qr(features(8, 8, seed=3))
    before = linear_cka(x, y)
    assert abs(before) > 0.05
    assert linear_cka(3 * x.flatten(1) @ turn + 1e3, y) == pytest.approx(before, abs=1e-9)
    assert linear_cka(y, x) == pytest.approx(before, abs=1e-12)
    assert linear_cka(x, -2 * x.flatten(1) @ turn) == pytest.approx(1, abs=1e-9)


def test_chance_gives_nothing_where_the_biased_estimate_gives_much():
    stream = LinearCKA(2)
    for seed in range(200):
        stream.add([gram(features(8, 40, seed=seed)), gram(features(8, 30, seed=1000 + seed))])
    assert abs(stream.result()[0, 1]) < 0.03
    assert (stream.images, stream.minibatches) == (1600, 200)


def test_minibatches_are_averaged_before_they_are_divided():
    batches = [(features(5, 3, seed=s), features(5, 2, seed=s + 9) + features(5, 3, seed=s)[:, :2]) for s in (1, 2)]
    stream = LinearCKA(2)
    for x, y in batches:
        stream.add([gram(x), gram(y)])
    sums = [[sum(hsic_by_quadruples(b[i], b[j]) for b in batches) for j in (0, 1)] for i in (0, 1)]
    expected = sums[0][1] / math.sqrt(sums[0][0] * sums[1][1])
    assert float(stream.result()[0, 1]) == pytest.approx(expected, abs=1e-9)
    assert stream.result().diagonal().tolist() == pytest.approx([1, 1])


def test_features_that_never_change_are_like_nothing():
    stream = LinearCKA(2)
    stream.add([gram(torch.ones(6, 3)), gram(features(6, 3))])
    found = stream.result()
    assert found[0].isnan().all()
    assert float(found[1, 1]) == pytest.approx(1)


def test_too_few_images_or_layers_are_refused():
    with pytest.raises(ConfigError, match="4 images or more"):
        linear_cka(features(3, 2), features(3, 2))
    with pytest.raises(ConfigError, match="5 images, and of 4"):
        linear_cka(features(5, 2), features(4, 2))
    with pytest.raises(ConfigError, match="3 layers"):
        LinearCKA(3).add([gram(features(5, 2))])
    with pytest.raises(ConfigError, match="nothing to compare"):
        LinearCKA(3).result()
