import pytest

from vitrail.core.errors import ConfigError
from vitrail.studies.plan import SAFETY, CellPlan, fit_into
from vitrail.studies.study import Cell, Setup

CELLS = (Cell("a"), Cell("b", steps=0.5), Cell("c", fixed_steps=20), Cell("d", optional=True))
SETUP = Setup(cells=CELLS, seeds=5, steps=(100, 1000))
PACES = {cell.name: CellPlan(cell.name, 0.1, 1.0) for cell in CELLS}


def seconds(steps, names="abcd"):
    by_name = {"a": 0.1 * steps, "b": 0.05 * steps, "c": 2.0, "d": 0.1 * steps}
    return sum(1 + by_name[name] for name in names)


def test_time_becomes_steps_of_as_many_seeds_as_are_wanted():
    steps, seeds, left_out = fit_into(SETUP, PACES, 5 * seconds(455) / SAFETY)
    assert (steps, seeds, left_out) == (450, 5, ())


def test_less_time_means_fewer_seeds_not_fewer_steps_than_wanted():
    steps, seeds, _ = fit_into(SETUP, PACES, 3 * seconds(131) / SAFETY)
    assert (steps, seeds) == (130, 3)


def test_with_less_than_that_optional_cells_are_left_out():
    steps, seeds, left_out = fit_into(SETUP, PACES, 1.9 * seconds(99) / SAFETY)
    assert left_out == ("d",)
    assert seeds == 2
    assert steps >= 100


def test_one_training_of_each_is_the_least():
    steps, seeds, _ = fit_into(SETUP, PACES, seconds(12, "abc") / SAFETY + 0.01)
    assert (steps, seeds) == (12, 1)
    with pytest.raises(ConfigError, match="too short") as caught:
        fit_into(SETUP, PACES, seconds(9, "abc") / SAFETY)
    needed = float(caught.value.hint.split()[2])
    assert fit_into(SETUP, PACES, 60 * needed)[0] >= 10


def test_time_to_spare_becomes_seeds():
    steps, seeds, _ = fit_into(SETUP, PACES, 8.5 * seconds(1000) / SAFETY)
    assert (steps, seeds) == (1000, 8)
    assert fit_into(SETUP, PACES, 1e6)[:2] == (1000, 15)


def test_processes_share_the_work_but_for_the_last_run():
    alone = fit_into(SETUP, PACES, 300, processes=1)[0]
    shared = fit_into(SETUP, PACES, 300, processes=2)[0]
    assert 1.5 * alone < shared < 2.1 * alone


def test_time_that_is_gone_is_counted():
    assert fit_into(SETUP, PACES, 400, spent=100) < fit_into(SETUP, PACES, 400)


def test_the_number_of_seeds_may_be_asked_for():
    assert fit_into(SETUP, PACES, 3 * seconds(50) / SAFETY + 0.01, seeds=3)[1] == 3
    with pytest.raises(ConfigError, match="too short"):
        fit_into(SETUP, PACES, 60, seeds=100)
