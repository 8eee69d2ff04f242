"""Figures of merit against scikit-learn, scipy and slow loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import metrics as sk

from vitrail.evaluation.metrics import (
    classification_metrics,
    confusion_matrix,
    expected_calibration_error,
    per_class,
    softmax,
    top_k,
    wilson_interval,
)

SHAPES = st.tuples(st.integers(1, 60), st.integers(2, 9), st.integers(0, 10_000))
"""Images, classes, seed."""


def drawn(shape: tuple[int, int, int], skill: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are often right, and labels of which some classes may not occur."""
    n, classes, seed = shape
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, generator.integers(1, classes + 1), n)
    logits = generator.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += skill
    return logits, labels


def figures(logits: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    return dict(classification_metrics(logits, labels))


@given(SHAPES)
def test_figures_are_scikit_learns(shape: tuple[int, int, int]) -> None:
    logits, labels = drawn(shape)
    n, classes = logits.shape
    predicted, probabilities = logits.argmax(axis=1), special.softmax(logits.astype(np.float64), axis=1)
    found = figures(logits, labels)
    every = np.arange(classes)

    assert found["n"] == n
    assert found["top1"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert found["nll"] == pytest.approx(sk.log_loss(labels, probabilities, labels=every), rel=1e-9)
    occurs = np.unique(labels)
    recalls = sk.recall_score(labels, predicted, labels=occurs, average=None, zero_division=0.0)
    assert found["balanced_accuracy"] == pytest.approx(float(np.mean(recalls)))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(labels, predicted, average="macro", zero_division=0.0))
    if set(predicted) <= set(occurs) and len(occurs) > 1:
        assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    assert ("top5" in found) == (classes >= 6)
    if classes >= 6:
        assert found["top5"] == pytest.approx(sk.top_k_accuracy_score(labels, logits, k=5, labels=every))
    correct = int((predicted == labels).sum())
    assert np.allclose(found["interval"], stats.binomtest(correct, n).proportion_ci(0.95, "wilson"))


@given(SHAPES)
def test_confusion_and_classes_are_scikit_learns(shape: tuple[int, int, int]) -> None:
    logits, labels = drawn(shape, 1.0)
    predicted, every = logits.argmax(axis=1), range(logits.shape[1])
    matrix = confusion_matrix(predicted, labels, logits.shape[1])
    precision, recall, f1, _ = sk.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0.0)

    assert (matrix == sk.confusion_matrix(labels, predicted, labels=every)).all()
    assert matrix.sum() == len(labels)
    ours = per_class(matrix)
    assert np.allclose(ours[0], recall) and np.allclose(ours[1], precision) and np.allclose(ours[2], f1)


def test_row_is_the_true_class() -> None:
    assert confusion_matrix(np.array([2, 2, 0]), np.array([0, 0, 1]), 3).tolist() == [[0, 0, 2], [1, 0, 0], [0, 0, 0]]


def test_a_class_that_is_predicted_but_never_occurs_lowers_f1() -> None:
    """As in scikit-learn; a class that neither occurs nor is predicted does not count."""
    logits = np.eye(5, dtype=np.float32)[[0, 1, 2]]
    found = figures(logits, np.array([0, 1, 1]))
    assert found["balanced_accuracy"] == pytest.approx(0.75)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)


@given(SHAPES, st.integers(1, 12))
def test_top_k(shape: tuple[int, int, int], k: int) -> None:
    logits, labels = drawn(shape, 0.5)
    higher = (logits > logits[np.arange(len(labels)), labels][:, None]).sum(axis=1)
    assert top_k(logits, labels, k) == int((higher < k).sum())


def test_of_equal_logits_the_first_counts_as_higher() -> None:
    logits = np.array([[1, 1, 0, 1]], np.float32)
    assert [top_k(logits, np.array([label]), 1) for label in range(4)] == [1, 0, 0, 0]
    assert [top_k(logits, np.array([label]), 2) for label in range(4)] == [1, 1, 0, 0]
    assert [top_k(logits, np.array([label]), 3) for label in range(4)] == [1, 1, 0, 1]
    many, labels = np.random.default_rng(0).integers(0, 3, (200, 500)).astype(np.float32), np.arange(200)
    own = many[labels, labels][:, None]
    before = (many > own).sum(axis=1) + ((many == own) & (np.arange(500) < labels[:, None])).sum(axis=1)
    assert [top_k(many, labels, k) for k in (1, 20, 150)] == [int((before < k).sum()) for k in (1, 20, 150)]
    flat = figures(np.zeros((4, 8), np.float32), np.array([0, 4, 5, 0]))
    assert flat["top1"] == 0.5 and flat["top5"] == 0.75
    assert flat["nll"] == pytest.approx(math.log(8))


@given(st.integers(1, 3000), st.floats(0, 1))
def test_wilson_is_scipys(n: int, share: float) -> None:
    correct = round(n * share)
    expected = stats.binomtest(correct, n).proportion_ci(0.95, "wilson")
    assert wilson_interval(correct, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_at_the_ends() -> None:
    assert wilson_interval(0, 0) == (0, 1)
    low, high = wilson_interval(0, 10)
    assert low == 0 and 0.27 < high < 0.28
    assert wilson_interval(10, 10) == pytest.approx((1 - high, 1))
    assert wilson_interval(360, 360)[1] == pytest.approx(1) and wilson_interval(360, 360)[1] <= 1


def test_wilson_covers_95_per_cent() -> None:
    """Averaged over proportions, the interval holds the truth as often as it says."""
    covered = []
    for truth in np.linspace(0.05, 0.95, 19):
        ends = [wilson_interval(correct, 50) for correct in range(51)]
        likely = stats.binom.pmf(np.arange(51), 50, truth)
        covered.append(sum(p for p, (low, high) in zip(likely, ends, strict=True) if low <= truth <= high))
    assert abs(float(np.mean(covered)) - 0.95) < 0.01


def slow_calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int) -> float:
    """Guo et al. 2017, equation 3: Σ |B|/n · |acc(B) − conf(B)|, with bins closed below."""
    total = 0.0
    for one in range(bins):
        inside = [
            row
            for row in range(len(labels))
            if one / bins <= max(probabilities[row]) and (max(probabilities[row]) < (one + 1) / bins or one == bins - 1)
        ]
        if inside:
            accuracy = sum(int(np.argmax(probabilities[row]) == labels[row]) for row in inside) / len(inside)
            confidence = sum(max(probabilities[row]) for row in inside) / len(inside)
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@given(SHAPES, st.integers(1, 20))
def test_calibration_error_by_a_slow_loop(shape: tuple[int, int, int], bins: int) -> None:
    logits, labels = drawn(shape, 2.0)
    probabilities = softmax(logits)
    edges = probabilities.max(axis=1) * bins
    assume(np.abs(edges - edges.round()).min() > 1e-9)

    assert expected_calibration_error(probabilities, labels, bins) == pytest.approx(
        slow_calibration_error(probabilities, labels, bins), abs=1e-12
    )
    assert figures(logits, labels)["ece"] == pytest.approx(slow_calibration_error(probabilities, labels, 15), abs=1e-12)


def test_calibration_error_where_it_is_known() -> None:
    sure = np.array([[1.0, 0.0]] * 4)
    assert expected_calibration_error(sure, np.array([0, 0, 0, 0])) == 0
    assert expected_calibration_error(sure, np.array([0, 0, 0, 1])) == 0.25
    half = np.array([[0.8, 0.2]] * 5 + [[0.4, 0.6]] * 5)
    assert expected_calibration_error(half, np.array([0] * 4 + [1] + [1] * 3 + [0] * 2)) == pytest.approx(0)


@given(SHAPES, st.floats(-1e4, 1e4))
def test_softmax_is_scipys(shape: tuple[int, int, int], offset: float) -> None:
    logits = (drawn(shape)[0] * 100 + offset).astype(np.float32)
    found = softmax(logits)
    assert np.allclose(found, special.softmax(logits.astype(np.float64), axis=1), atol=1e-12)
    assert np.allclose(found.sum(axis=1), 1) and found.dtype == np.float64


def test_softmax_of_the_largest_numbers() -> None:
    assert softmax(np.array([[3e38, -3e38, 0]], np.float32)).tolist() == [[1, 0, 0]]


def test_one_image() -> None:
    found = figures(np.array([[2.0, 0.0]], np.float32), np.array([0]))
    p = 1 / (1 + math.exp(-2))
    expected = {
        "top1": 1, "interval": [wilson_interval(1, 1)[0], 1], "n": 1, "nll": -math.log(p), "ece": 1 - p,
        "balanced_accuracy": 1, "macro_f1": 1,
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name


def test_an_impossible_answer_has_a_finite_loss() -> None:
    found = figures(np.array([[1e4, 0.0]], np.float32), np.array([1]))
    assert found["top1"] == 0 and 500 < found["nll"] < math.inf


def test_figures_are_plain_numbers() -> None:
    """They go into JSON as they are."""
    for name, value in figures(*drawn((20, 8, 0))).items():
        assert type(value) in (int, float, list), name
