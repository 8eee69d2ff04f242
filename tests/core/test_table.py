"""Tables: read-only, ordered, and helpful about names they do not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.core.errors import ConfigError, DataError
from vitrail.core.table import Table, did_you_mean, nearest

FRUIT = Table("fruit", {"apple": 1, "banana": 2, "cherry": 3})
NAMES = st.text(alphabet="abcdefgh_0123/", min_size=1, max_size=12)


def test_it_is_a_mapping_in_the_order_written():
    assert list(FRUIT) == ["apple", "banana", "cherry"]
    assert list(FRUIT.values()) == [1, 2, 3]
    assert len(FRUIT) == 3
    assert "apple" in FRUIT
    assert "durian" not in FRUIT
    assert FRUIT.get("durian") is None
    assert repr(FRUIT) == "Table('fruit': apple, banana, cherry)"


def test_it_is_read_only_and_keeps_its_own_rows():
    rows = {"a": 1}
    table = Table("letter", rows)
    rows["b"] = 2
    assert list(table) == ["a"]
    with pytest.raises(TypeError):
        table["c"] = 3  # type: ignore[index]


@pytest.mark.parametrize(
    ("typed", "meant"), [("aple", "apple"), ("BANANA", "banana"), ("chery", "cherry"), ("bananna", "banana")]
)
def test_a_mistyped_name_is_answered_with_the_nearest(typed, meant):
    with pytest.raises(ConfigError) as caught:
        FRUIT[typed]
    assert caught.value.message == f"unknown fruit {typed!r}"
    assert caught.value.hint == f"did you mean {meant}?"


def test_a_name_like_nothing_is_answered_with_all_or_with_how_to_list_them():
    with pytest.raises(ConfigError) as caught:
        FRUIT["zzz"]
    assert caught.value.hint == "known: apple, banana, cherry"
    many = Table("number", {f"n{index}": index for index in range(40)}, listing="`count` lists them")
    with pytest.raises(ConfigError) as caught:
        many["zzz"]
    assert caught.value.hint == "`count` lists them"


def test_the_error_class_is_the_tables():
    with pytest.raises(DataError, match="unknown source 'x'"):
        Table("source", {"digits": 1}, error=DataError)["x"]


def test_parts_in_another_order_are_found():
    known = ["vit_base_patch16_224", "vit_base_patch16_224_in21k", "deit_base_distilled_patch16_224"]
    assert nearest("deit_distilled_base_patch16_224", known)[0] == "deit_base_distilled_patch16_224"
    assert nearest("vit_base_224_patch16", known)[0] == "vit_base_patch16_224"
    assert nearest("patch16_small", ["patch16_sma1l", "small_patch16"], 1) == ["small_patch16"]


def test_names_that_differ_only_in_case_are_told_apart():
    assert set(nearest("g/16", ["g/14", "G/14"])) == {"g/14", "G/14"}
    assert nearest("G14", ["g/14", "G/14"])[0] == "G/14"
    assert nearest("g14", ["g/14", "G/14"])[0] == "g/14"


@given(known=st.lists(NAMES, min_size=1, max_size=30, unique=True), typed=NAMES, count=st.integers(1, 4))
def test_whatever_is_suggested_exists_and_is_not_too_much(known, typed, count):
    found = nearest(typed, known, count)
    assert len(found) <= count
    assert len(set(found)) == len(found)
    assert set(found) <= set(known)


@given(known=st.lists(NAMES, min_size=1, max_size=30, unique=True), data=st.data())
def test_a_known_name_is_nearest_to_itself(known, data):
    name = data.draw(st.sampled_from(known))
    assert nearest(name, known)[0] == name
    assert name in did_you_mean(name, known)
