import pytest

from vitrail.studies.claims import difference, greater, inside, untestable
from vitrail.studies.results import Record, Results


def results(**values):
    records = [
        Record(cell, seed, 10, {"top1": value})
        for cell, numbers in values.items()
        for seed, value in enumerate(numbers)
    ]
    return Results(records, "top1", list(values))


A, B = (0.70, 0.75, 0.72, 0.78), (0.65, 0.71, 0.66, 0.73)


def test_a_difference_that_every_seed_shows_is_reproduced():
    verdict = greater({"a − b": difference("a", "b")})(results(a=A, b=B))
    assert verdict.kind == "reproduced"
    (one,) = verdict.comparisons
    assert one.n == 4
    assert one.value == pytest.approx(0.05)
    assert one.interval[0] > 0
    assert one.p_value < 0.01


def test_the_opposite_is_not_reproduced():
    assert greater({"b − a": difference("b", "a")})(results(a=A, b=B)).kind == "not reproduced"


def test_what_chance_explains_is_not_separated():
    verdict = greater({"a − c": difference("a", "c")})(results(a=A, c=(0.69, 0.77, 0.70, 0.78)))
    assert verdict.kind == "not separated at this scale"
    assert verdict.comparisons[0].interval[0] < 0 < verdict.comparisons[0].interval[1]


def test_one_seed_tells_nothing():
    verdict = greater({"a − b": difference("a", "b")})(results(a=(0.9,), b=(0.1,)))
    assert verdict.kind == "not separated at this scale"
    assert "one seed" in verdict.reason


def test_pairing_sees_what_the_spread_of_seeds_would_hide():
    a = (0.50, 0.60, 0.70, 0.80)
    b = tuple(value - 0.01 for value in a)
    assert greater({"a − b": difference("a", "b")})(results(a=a, b=b)).kind == "reproduced"


def test_only_seeds_that_all_cells_have_are_compared():
    found = results(a=A, b=B[:3])
    assert len(found.contrast(difference("a", "b"))) == 3


def test_many_comparisons_are_corrected():
    weak = (0.69, 0.72, 0.71, 0.745)
    alone = greater({"a − w": difference("a", "w")})(results(a=A, w=weak))
    assert alone.kind == "reproduced"
    assert alone.comparisons[0].p_value > 0.01
    many = {f"{number}": difference("a", "w") for number in range(6)}
    assert greater(many)(results(a=A, w=weak)).kind == "not separated at this scale"


def test_bounds_hold_for_every_run():
    assert inside(0.7, 0.8, ["a"])(results(a=A)).kind == "reproduced"
    verdict = inside(0.71, 0.8, ["a"])(results(a=A))
    assert verdict.kind == "not reproduced"
    assert verdict.comparisons[0].interval == (0.70, 0.78)


def test_a_cell_without_runs_is_not_testable():
    for judge in (greater({"a − x": difference("a", "x")}), inside(0, 1, ["x"])):
        verdict = judge(results(a=A))
        assert verdict.kind == "not testable at this scale"
        assert "x" in verdict.reason


def test_what_is_untestable_says_why():
    assert untestable("no cats")(results(a=A)).reason == "no cats"
