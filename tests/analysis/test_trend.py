"""Rank correlation against its closed form, and the test against counted orders."""

import math

import numpy as np
import pytest

from vitrail.analysis import depth_trend


def test_orders_that_are_known():
    rising = depth_trend([1, 2, 5, 9])
    assert (rising.rho, rising.n) == (pytest.approx(1), 4)
    assert (rising.p_rising, rising.p_falling) == (pytest.approx(1 / 24), 1)
    assert rising.verdict == "rises"
    assert depth_trend([9, 5, 2, 1]).verdict == "falls"
    assert depth_trend([1, 2, 3]).verdict == "open"  # 3 blocks: chance does as much once in 6


def test_rho_is_the_closed_form_without_ties():
    values = np.random.default_rng(0).normal(size=11)
    steps = np.argsort(np.argsort(values)) - np.arange(11)
    assert depth_trend(values).rho == pytest.approx(1 - 6 * (steps**2).sum() / (11 * (121 - 1)), abs=1e-12)


def test_ties_share_their_rank():
    assert depth_trend([1, 2, 2, 3]).rho == pytest.approx(4.5 / math.sqrt(5 * 4.5), abs=1e-12)


def test_drawn_orders_agree_with_the_normal_limit():
    values = [1, 3, 2, 5, 4, 7, 6, 9, 8, 10, 12, 11]
    assert depth_trend(values).p_rising < 1e-3
    shuffled = [6, 2, 9, 1, 12, 4, 7, 11, 3, 8, 5, 10]
    found = depth_trend(shuffled)
    expected = 0.5 * math.erfc(found.rho * math.sqrt(11) / math.sqrt(2))
    assert found.p_rising == pytest.approx(expected, abs=0.02)
    assert found == depth_trend(shuffled)


@pytest.mark.parametrize("values", [[4.0], [2.0, 2.0, 2.0], [1.0, math.nan]])
def test_what_has_no_order_has_no_trend(values):
    found = depth_trend(values)
    assert math.isnan(found.rho)
    assert found.verdict == "open"
