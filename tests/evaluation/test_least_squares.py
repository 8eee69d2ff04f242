"""Few-shot least squares: the figures of the paper's protocol, both closed forms, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import vitrail
from vitrail.evaluation.least_squares import PENALTY, draw_shots, least_squares


@pytest.fixture(scope="module")
def digits():
    """Give raw pixels ÷ 16: the first 1,347 images as pool, the last 450 as test."""
    images, labels = load_digits(return_X_y=True)
    return images[:1347] / 16, labels[:1347], images[-450:] / 16, labels[-450:]


@pytest.mark.parametrize(
    ("shots", "expected"),
    [
        (1, (60.222, 54.667, 59.111)),
        (5, (75.778, 74.889, 79.111)),
        (10, (81.778, 83.111, 81.111)),
        (25, (86.222, 84.889, 82.000)),
    ],
)
def test_the_digits_oracle(digits, shots, expected):
    found = [100 * vitrail.evaluation.few_shot(*digits, shots, seed) for seed in range(3)]
    assert found == pytest.approx(expected, abs=5e-4)


def test_the_whole_pool_of_digits(digits):
    x, y, x_test, y_test = digits
    (scores,) = least_squares(x, y, x_test, 10, (PENALTY,))
    assert 100 * (scores.argmax(axis=1) == y_test).mean() == pytest.approx(87.333, abs=5e-4)


@pytest.mark.parametrize("n", [9, 12, 13, 14, 40])
def test_primal_and_dual_are_one(n):
    """Whichever of the two is used, both closed forms, written out, give the same: 12 features and the constant."""
    generator = np.random.default_rng(0)
    x, points, y = generator.normal(3, 2, (n, 12)), generator.normal(size=(7, 12)), np.arange(n) % 3
    scaled, asked = ((part - x.mean(0)) / (x.std(0) + 1e-5) for part in (x, points))
    scaled, asked = (np.hstack([part, np.full((len(part), 1), 100.0)]) for part in (scaled, asked))
    targets = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    penalties = (0.5, 2.0**10)
    for penalty, scores in zip(penalties, least_squares(x, y, points, 3, penalties), strict=True):
        primal = np.linalg.solve(scaled.T @ scaled + penalty * np.eye(13), scaled.T @ targets)
        dual = scaled.T @ np.linalg.solve(scaled @ scaled.T + penalty * np.eye(n), targets)
        assert np.allclose(asked @ primal, scores, atol=1e-8)
        assert np.allclose(asked @ dual, scores, atol=1e-8)


def test_the_shots_are_those_of_the_protocol(digits):
    labels = digits[1]
    generator = np.random.default_rng(2)
    expected = [generator.permutation(np.where(labels == digit)[0])[:3] for digit in range(10)]
    found = draw_shots(labels, 10, 3, 2, [str(digit) for digit in range(10)])
    assert found.tolist() == np.concatenate(expected).tolist()


def test_labels_need_not_count_from_zero(digits):
    x, y, x_test, y_test = digits
    found = vitrail.evaluation.few_shot(x, 10 * y - 7, x_test, 10 * y_test - 7, 5, 1)
    assert found == vitrail.evaluation.few_shot(*digits, 5, 1)


def test_tensors_are_taken_too(digits):
    found = vitrail.evaluation.few_shot(*(torch.from_numpy(part) for part in digits), 5, 1)
    assert found == vitrail.evaluation.few_shot(*digits, 5, 1)


@pytest.mark.parametrize(
    ("y", "shots", "message", "hint"),
    [
        ([3] * 6, 1, "one class, '3'", "two classes"),
        ([1, 1, 1, 1, 5, 5], 3, "class '5' has 2 images to learn from, fewer than shots = 3", "take 2 shots"),
        ([0, 0, 0, 1, 1, 1], 0, "shots = 0", ""),
        ([], 1, "no image", "two classes"),
    ],
)
def test_what_cannot_be_measured(y, shots, message, hint):
    x = np.zeros((len(y), 4))
    with pytest.raises(vitrail.DataError, match=message) as caught:
        vitrail.evaluation.few_shot(x, np.array(y, dtype=np.int64), np.zeros((2, 4)), np.array([1, 5]), shots, 0)
    assert hint in caught.value.hint
