"""Average precision against scikit-learn; intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from vitrail.evaluation import ranking
from vitrail.evaluation.metrics import confusion_matrix, softmax
from vitrail.evaluation.ranking import average_precision, macro_f1_interval, mean_average_precision


def drawn(n, classes, seed, skill=1.5):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += skill
    return softmax(logits), labels


@given(st.integers(1, 60), st.integers(0, 10_000), st.booleans())
def test_it_is_scikit_learns_with_and_without_ties(n, seed, ties):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 4, n).astype(float) if ties else generator.random(n)
    positive = generator.random(n) < 0.4
    positive[generator.integers(n)] = True
    assert average_precision(scores, positive) == pytest.approx(sk.average_precision_score(positive, scores))


def test_the_mean_is_over_the_classes_that_occur():
    probabilities, labels = drawn(300, 7, 0)
    labels[labels == 3] = 2
    expected = np.mean([sk.average_precision_score(labels == one, probabilities[:, one]) for one in np.unique(labels)])
    value, interval = mean_average_precision(probabilities, labels)
    assert value == pytest.approx(expected)
    assert interval[0] < value < interval[1]
    assert mean_average_precision(probabilities, labels)[1] == interval, "the same draws"


def test_intervals_are_as_wide_as_figures_vary(monkeypatch):
    monkeypatch.setattr(ranking, "REPEATS", 300)
    values, widths, f1s, f1_widths = [], [], [], []
    for seed in range(60):
        probabilities, labels = drawn(300, 4, seed)
        value, (low, high) = mean_average_precision(probabilities, labels)
        values.append(value), widths.append(high - low)
        matrix = confusion_matrix(probabilities.argmax(axis=1), labels, 4)
        f1s.append(sk.f1_score(labels, probabilities.argmax(axis=1), average="macro"))
        low, high = macro_f1_interval(matrix)
        f1_widths.append(high - low)
        assert low < f1s[-1] < high
    assert np.mean(widths) == pytest.approx(3.92 * np.std(values), rel=0.3)
    assert np.mean(f1_widths) == pytest.approx(3.92 * np.std(f1s), rel=0.3)


def test_too_much_work_gives_no_interval(monkeypatch):
    monkeypatch.setattr(ranking, "MOST_WORK", 1000)
    probabilities, labels = drawn(300, 4, 0)
    assert mean_average_precision(probabilities, labels)[1] is None
    assert macro_f1_interval(confusion_matrix(labels, labels, 4)) is None or 16 * 100 <= 1000
