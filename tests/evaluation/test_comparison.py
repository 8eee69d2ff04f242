"""Two classifiers compared, against scipy, and the interval by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from vitrail.evaluation.comparison import compare_answers


def answers(both, first, second, neither):
    pairs = [(True, True)] * both + [(True, False)] * first + [(False, True)] * second + [(False, False)] * neither
    return tuple(np.array(side) for side in zip(*pairs, strict=True))


@pytest.mark.parametrize("counts", [(10, 0, 0, 5), (50, 3, 12, 5), (9000, 120, 80, 800), (0, 1, 0, 0), (5, 7, 7, 5)])
def test_it_is_the_exact_test_of_mcnemar(counts):
    compared = compare_answers(*answers(*counts))
    _, first, second, _ = counts
    assert (compared.n, compared.first_only, compared.second_only) == (sum(counts), first, second)
    assert compared.difference == pytest.approx((first - second) / sum(counts))
    expected = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert compared.p_value == pytest.approx(expected)


def test_the_other_way_round_is_the_same_with_another_sign():
    first, second = answers(60, 20, 8, 12)
    one, other = compare_answers(first, second), compare_answers(second, first)
    assert one.p_value == other.p_value
    assert one.difference == -other.difference
    assert one.interval == pytest.approx((-other.interval[1], -other.interval[0]))


@pytest.mark.parametrize("shares", [(0.8, 0.08, 0.04, 0.08), (0.9, 0.02, 0.02, 0.06), (0.5, 0.3, 0.1, 0.1)])
def test_the_interval_holds_the_true_difference_95_times_in_100(shares):
    generator, held = np.random.default_rng(0), 0
    for counts in generator.multinomial(300, shares, size=1000):
        low, high = compare_answers(*answers(*counts)).interval
        held += low <= shares[1] - shares[2] <= high
    assert 930 <= held <= 975
