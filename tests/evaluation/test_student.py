import math

import numpy as np
import pytest
from scipy import stats

from vitrail.evaluation.student import holm, mean_of, student_cdf, student_quantile


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 5, 8, 9, 30, 31])
def test_student_is_scipys(freedom):
    for t in (-40, -3.2, -1, -0.1, 0, 0.5, 2, 7.5):
        assert student_cdf(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)
    for share in (0.01, 0.3, 0.5, 0.95, 0.975, 0.9995):
        assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-9)


def test_the_mean_of_differences_is_judged_as_by_a_paired_t_test():
    generator = np.random.default_rng(0)
    one, other = generator.normal(0.3, 1, 6), generator.normal(0, 1, 6)
    ours, theirs = mean_of((one - other).tolist()), stats.ttest_rel(one, other, alternative="greater")
    assert ours.p_greater() == pytest.approx(theirs.pvalue)
    expected = stats.ttest_rel(one, other).confidence_interval(0.9)
    assert ours.interval(0.9) == pytest.approx(tuple(expected))


def test_of_one_number_nothing_is_said():
    one = mean_of([0.7])
    assert one.value == 0.7
    assert one.interval() == (-math.inf, math.inf)
    assert one.p_greater() == 1
    assert math.isnan(mean_of([]).value)


def test_equal_numbers_have_no_spread():
    assert mean_of([0.2, 0.2, 0.2]).p_greater() == 0
    assert mean_of([-0.2, -0.2]).p_greater() == 1


def test_holm_corrects_step_by_step():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
