"""The learning rate: closed forms, and torch's own schedulers."""

from __future__ import annotations

import itertools
import math
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vitrail.core.errors import ConfigError
from vitrail.train.recipe import ScheduleConfig
from vitrail.train.schedule import learning_rate

PEAK = 0.3


def rates(config: ScheduleConfig, total: int) -> list[float]:
    return [learning_rate(config, PEAK, step, total) for step in range(total)]


def test_warm_up_is_a_straight_line_to_the_peak() -> None:
    values = rates(ScheduleConfig(warmup=0.25), 40)
    assert values[:11] == pytest.approx([PEAK * (step + 1) / 11 for step in range(11)])
    assert max(values) == values[10] == PEAK and values[0] > 0


def test_warm_up_from_a_rate() -> None:
    values = rates(ScheduleConfig(warmup=0.25, initial=0.2), 40)
    assert values[:11] == pytest.approx([PEAK * (0.2 + 0.8 * (step + 1) / 11) for step in range(11)])
    assert values[10:] == rates(ScheduleConfig(warmup=0.25), 40)[10:]


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_cosine_is_torchs(final: float) -> None:
    """After a warm-up of 10 steps, 30 more, of which the last reaches the end."""
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=PEAK)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=29, eta_min=final * PEAK)
    expected = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # no step of the optimizer: only the rate is wanted
        for _ in range(30):
            expected.append(optimizer.param_groups[0]["lr"])
            scheduler.step()

    assert rates(ScheduleConfig(warmup=0.25, final=final), 40)[10:] == pytest.approx(expected, abs=1e-9)


def test_cosine_by_hand() -> None:
    values = rates(ScheduleConfig(warmup=0.0, final=0.2), 5)
    shape = [1, 0.5 + math.sqrt(0.5) / 2, 0.5, 0.5 - math.sqrt(0.5) / 2, 0]
    assert values == pytest.approx([PEAK * (0.2 + 0.8 * part) for part in shape])


def test_linear_and_constant() -> None:
    assert rates(ScheduleConfig("linear", 0.0, 0.0), 5) == pytest.approx([PEAK, PEAK * 0.75, PEAK / 2, PEAK / 4, 0])
    assert rates(ScheduleConfig("linear", 0.0, 0.5), 3) == pytest.approx([PEAK, PEAK * 0.75, PEAK / 2])
    assert rates(ScheduleConfig("constant", 0.2, 0.0), 10) == pytest.approx([PEAK / 3, PEAK * 2 / 3, *[PEAK] * 8])


@pytest.mark.parametrize("decay", ["cosine", "linear", "constant"])
def test_a_single_step_is_taken_at_the_peak(decay: str) -> None:
    assert rates(ScheduleConfig(decay), 1) == [PEAK]  # type: ignore[arg-type]


@given(
    decay=st.sampled_from(["cosine", "linear", "constant"]),
    warmup=st.floats(0, 0.99),
    final=st.floats(0, 1),
    total=st.integers(1, 200),
)
def test_up_then_down(decay: str, warmup: float, final: float, total: int) -> None:
    config = ScheduleConfig(decay, warmup, final)  # type: ignore[arg-type]
    values = rates(config, total)
    up = round(warmup * total)

    assert all(0 < value <= PEAK * (1 + 1e-9) for value in values[:up])
    assert all(one < other for one, other in itertools.pairwise(values[: up + 1]))
    assert all(one >= other - 1e-12 for one, other in itertools.pairwise(values[up:]))
    if total - up >= 2 and decay != "constant":
        assert values[up] == pytest.approx(PEAK) and values[-1] == pytest.approx(final * PEAK, abs=1e-12)


@pytest.mark.parametrize(
    ("field", "value"),
    [("warmup", 1.0), ("warmup", -0.1), ("final", 1.1), ("final", -0.1), ("initial", 1.1), ("initial", -0.1)],
)
def test_values_out_of_range(field: str, value: float) -> None:
    with pytest.raises(ConfigError, match=field):
        ScheduleConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("total", "warmup"), [(20_000, 500), (500, 100), (10, 2)])
def test_warm_up_is_limited_in_steps(total: int, warmup: int) -> None:
    config = ScheduleConfig(warmup=0.2, warmup_steps=500)
    assert learning_rate(config, PEAK, warmup, total) == PEAK
    assert learning_rate(config, PEAK, warmup - 1, total) == pytest.approx(PEAK * warmup / (warmup + 1))
