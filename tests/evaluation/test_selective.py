"""Answering only where sure: the curve by slow loops, the bound by scipy, the promise by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitrail.evaluation.selective import area_under_risk, reject_threshold, risk_coverage, upper_bound


def drawn(
    n: int, classes: int, seed: int, levels: int | None = None, unsure: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, which may tie, and labels that are right as often as they say."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(classes, unsure), n)
    if levels:
        sure = generator.integers(levels, 2 * levels, n) / (2 * levels)
        probabilities = np.stack([sure, *[(1 - sure) / (classes - 1)] * (classes - 1)], axis=1)
    chosen = (generator.random(n)[:, None] > probabilities.cumsum(axis=1)).sum(axis=1)
    return probabilities, np.minimum(chosen, classes - 1)


@given(st.integers(1, 80), st.integers(2, 6), st.integers(0, 10_000), st.sampled_from([None, 3]))
def test_the_curve_is_the_loop_over_thresholds(n, classes, seed, levels):
    probabilities, labels = drawn(n, classes, seed, levels)
    curve = risk_coverage(probabilities, labels, points=None)
    confidence, wrong = probabilities.max(axis=1), probabilities.argmax(axis=1) != labels
    assert list(curve.thresholds) == sorted(set(confidence.tolist()), reverse=True)
    for threshold, accepted, errors in zip(curve.thresholds, curve.accepted, curve.wrong, strict=True):
        given_ = confidence >= threshold
        assert (accepted, errors) == (given_.sum(), wrong[given_].sum())
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(wrong.mean())


def test_a_short_curve_is_part_of_the_long_one_and_ends_with_everything():
    probabilities, labels = drawn(5000, 10, 0)
    short, whole = risk_coverage(probabilities, labels, 100), risk_coverage(probabilities, labels, None)
    assert len(short.thresholds) == 100 and len(whole.thresholds) == 5000
    rows = set(zip(whole.thresholds, whole.accepted, whole.wrong, strict=True))
    assert set(zip(short.thresholds, short.accepted, short.wrong, strict=True)) < rows
    assert short.accepted[-1] == 5000


def test_the_area_is_the_mean_over_all_coverages_without_ties():
    probabilities, labels = drawn(200, 4, 1)
    wrong = (probabilities.argmax(axis=1) != labels)[np.argsort(-probabilities.max(axis=1))]
    expected = np.mean([wrong[: k + 1].mean() for k in range(200)])
    assert area_under_risk(probabilities, labels) == pytest.approx(expected)


@pytest.mark.parametrize("delta", [0.05, 0.005])
@pytest.mark.parametrize(("wrong", "n"), [(0, 1), (0, 299), (3, 10), (9, 10), (50, 10_000), (700, 9000)])
def test_the_bound_is_that_of_clopper_and_pearson(wrong, n, delta):
    assert upper_bound(wrong, n, delta) == pytest.approx(stats.beta.ppf(1 - delta, wrong + 1, n - wrong), abs=1e-9)


def test_without_answers_or_with_all_wrong_nothing_is_promised():
    assert upper_bound(0, 0) == upper_bound(5, 5) == 1.0


@pytest.mark.parametrize("max_error", [0.05, 0.1])
def test_the_promise_is_kept_on_unseen_images_nearly_always(max_error):
    """The model is rightly calibrated, so the true error among the answers is known: the mean of 1 − confidence."""
    unseen = drawn(200_000, 5, 999, unsure=0.05)[0].max(axis=1)
    broken, coverage = 0, []
    for seed in range(50):
        chosen = reject_threshold(risk_coverage(*drawn(1000, 5, seed, unsure=0.05), points=64), max_error)
        answered = unseen[unseen >= chosen.confidence]
        broken += len(answered) > 0 and (1 - answered).mean() > max_error
        coverage.append(chosen.coverage)
        assert chosen.bound <= max_error or chosen.coverage == 0
    assert broken <= 3, "δ = 5 % of 50 is 2.5"
    lowest = np.sort(unseen)[::-1]
    possible = np.max(np.flatnonzero(np.cumsum(1 - lowest) / np.arange(1, len(lowest) + 1) <= max_error)) / len(lowest)
    assert np.mean(coverage) > 0.8 * possible, "not by answering nothing"


def test_too_few_images_cannot_promise_anything():
    probabilities, labels = np.full((20, 2), 0.5), np.zeros(20, np.int64)
    chosen = reject_threshold(risk_coverage(probabilities, labels), 0.01)
    assert chosen.confidence == math.inf and chosen.coverage == 0
