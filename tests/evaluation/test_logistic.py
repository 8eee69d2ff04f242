"""Logistic regression, against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from vitrail.evaluation import logistic
from vitrail.evaluation.logistic import logistic_head, logistic_regression
from vitrail.evaluation.metrics import softmax

PENALTIES = (1000.0, 30.0, 1.0)


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:600].astype(np.float32), labels[:600], images[600:].astype(np.float32)


@pytest.mark.parametrize(("tolerance", "bound"), [(1e-7, 5e-5), (logistic.TOLERANCE, 2e-2)])
def test_probabilities_are_scikit_learns(digits, tolerance, bound, monkeypatch):
    """The minimum is the same; where the search ends as early as it does, the answers are still the same."""
    monkeypatch.setattr(logistic, "TOLERANCE", tolerance)
    x, y, points = digits
    scaled, asked = (part.astype(np.float64) - x.mean(axis=0) for part in (x, points))
    scaled, asked = (part / (x.std(axis=0) + 1e-5) for part in (scaled, asked))
    for penalty, logits in zip(PENALTIES, logistic_regression(x, y, points, 10, PENALTIES), strict=True):
        peer = LogisticRegression(C=1 / penalty, tol=1e-7, max_iter=5000).fit(scaled, y)
        expected = peer.predict_proba(asked)
        assert np.abs(softmax(logits) - expected).max() < bound, penalty
        assert (logits.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.999, penalty


def test_where_the_search_began_does_not_matter(digits):
    x, y, points = digits
    *_, warm = logistic_regression(x, y, points, 10, (100.0, 10.0))
    (cold,) = logistic_regression(x, y, points, 10, (10.0,))
    assert np.abs(softmax(warm) - softmax(cold)).max() < 1e-3


def test_a_constant_feature_and_a_class_that_is_absent(digits):
    x, y, points = digits
    (logits,) = logistic_regression(np.pad(x, ((0, 0), (0, 2))), y, np.pad(points, ((0, 0), (0, 2))), 12, (30.0,))
    (plain,) = logistic_regression(x, y, points, 10, (30.0,))
    assert np.abs(softmax(logits)[:, :10] - softmax(plain)).max() < 1e-3
    assert softmax(logits)[:, 10:].max() < 1e-2


def test_the_head_is_the_same_classifier_of_the_features_as_they_are(digits):
    x, y, points = digits
    weight, bias = logistic_head(x, y, 10, 30.0)
    (expected,) = logistic_regression(x, y, points, 10, (30.0,))
    assert weight.shape == (10, x.shape[1])
    assert np.abs(points @ weight.T + bias - expected).max() < 1e-9
