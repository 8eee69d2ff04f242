"""Nearest neighbours, against scikit-learn's with the same votes."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from vitrail.evaluation import nearest
from vitrail.evaluation.nearest import neighbour_votes


@pytest.fixture
def features():
    generator = np.random.default_rng(0)
    x, points = generator.normal(size=(300, 16)), generator.normal(size=(70, 16))
    return x.astype(np.float32), generator.integers(0, 7, 300), points.astype(np.float32)


@pytest.mark.parametrize("count", [1, 5, 20, 300])
def test_the_votes_are_scikit_learns(features, count, monkeypatch):
    monkeypatch.setattr(nearest, "SIMILARITIES_AT_ONCE", 300 * 32)  # more than one part, the last one smaller
    x, y, points = features
    weigh = lambda distances: np.exp((1 - distances) / 0.07)  # noqa: E731
    peer = KNeighborsClassifier(count, weights=weigh, metric="cosine", algorithm="brute").fit(x, y)
    (votes,) = neighbour_votes(x, y, points, 7, (count,))
    assert np.allclose(votes / votes.sum(axis=1, keepdims=True), peer.predict_proba(points), atol=1e-4)


def test_each_count_gives_what_it_gives_alone(features):
    x, y, points = features
    counts = (50, 3, 10)
    for count, votes in zip(counts, neighbour_votes(x, y, points, 7, counts), strict=True):
        (alone,) = neighbour_votes(x, y, points, 7, (count,))
        assert np.allclose(votes, alone)


def test_where_there_are_fewer_all_vote(features):
    x, y, points = features
    (votes,) = neighbour_votes(x[:4], y[:4], points, 7, (20,))
    (four,) = neighbour_votes(x[:4], y[:4], points, 7, (4,))
    assert np.array_equal(votes, four)


def test_length_does_not_matter_and_nothing_is_no_failure(features):
    x, y, points = features
    (votes,) = neighbour_votes(x, y, points, 7, (10,))
    (scaled,) = neighbour_votes(x * np.linspace(0.1, 9, 300, dtype=np.float32)[:, None], y, points, 7, (10,))
    assert np.allclose(votes, scaled, rtol=1e-4)
    (zero,) = neighbour_votes(x, y, np.zeros_like(points), 7, (10,))
    assert np.isfinite(zero).all()
