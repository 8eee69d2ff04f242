"""Configs: read from plain data, checked, written back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.core.config import Component, from_dict, is_config, require, to_dict
from vitrail.core.errors import ConfigError
from vitrail.core.table import Table


class ShapeConfig(Component):
    @classmethod
    def rows(cls) -> Table[Any]:
        return SHAPES

    def build(self, size: int) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class CircleConfig(ShapeConfig):
    kind: ClassVar[str] = "circle"
    radius: float = 1.0

    def build(self, size: int) -> str:
        return f"circle {self.radius} {size}"


@dataclass(frozen=True)
class SquareConfig(ShapeConfig):
    kind: ClassVar[str] = "square"
    corners: tuple[int, ...] = ()

    def build(self, size: int) -> str:
        return "square"


SHAPES: Table[type[ShapeConfig]] = Table("shape", {row.kind: row for row in (CircleConfig, SquareConfig)})


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    shape: ShapeConfig = CircleConfig()

    def __post_init__(self) -> None:
        require(self.rate >= 0, "rate", self.rate, "0 or more", "try 0.1")


@dataclass(frozen=True)
class Other:
    rate: float = 0.5
    width: int = 3


@dataclass(frozen=True)
class Outer:
    steps: int = 10
    name: str = "x"
    flag: bool = False
    size: int | tuple[int, int] = 8
    limit: float | None = None
    mode: Literal["crop", "squash"] = "crop"
    values: tuple[float, ...] = (1.0,)
    extra: dict[str, Any] | None = None
    make: str | Callable[[], object] = "gelu"
    inner: Inner = Inner()
    other: Other = Other()


@dataclass(frozen=True)
class Needy:
    must: int
    may: int = 0


OUTERS = st.builds(
    Outer,
    steps=st.integers(),
    name=st.text(),
    flag=st.booleans(),
    size=st.integers() | st.tuples(st.integers(), st.integers()),
    limit=st.none() | st.floats(allow_nan=False),
    mode=st.sampled_from(["crop", "squash"]),
    values=st.lists(st.floats(allow_nan=False)).map(tuple),
    extra=st.none() | st.dictionaries(st.text(), st.integers()),
    inner=st.builds(
        Inner,
        rate=st.floats(0, 1),
        shape=st.builds(CircleConfig, st.floats(0, 9))
        | st.builds(SquareConfig, st.lists(st.integers(), max_size=4).map(tuple)),
    ),
    other=st.builds(Other, st.floats(0, 1), st.integers()),
)


@given(config=OUTERS)
def test_what_is_written_reads_back_the_same(config):
    data = to_dict(config)
    assert from_dict(Outer, data) == config
    assert from_dict(Outer, json.loads(json.dumps(data))) == config


def test_plain_data_is_plain():
    assert to_dict(Outer(size=(2, 3), inner=Inner(shape=SquareConfig((1, 2))))) == {
        "steps": 10, "name": "x", "flag": False, "size": [2, 3], "limit": None, "mode": "crop", "values": [1.0],
        "extra": None, "make": "gelu", "inner": {"rate": 0.1, "shape": {"kind": "square", "corners": [1, 2]}},
        "other": {"rate": 0.5, "width": 3},
    }  # fmt: skip


def test_missing_fields_have_their_defaults():
    assert from_dict(Outer, {}) == Outer()
    assert from_dict(Outer, {"inner": {"rate": 0.3}}) == Outer(inner=Inner(rate=0.3))


def test_a_field_without_default_must_be_given():
    assert from_dict(Needy, {"must": 3}) == Needy(3)
    with pytest.raises(ConfigError) as caught:
        from_dict(Needy, {"may": 3}, "needy.")
    assert caught.value.message == "missing key 'needy.must'"
    assert "a whole number" in caught.value.hint


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [
        ("square", SquareConfig()),
        ({"kind": "square", "corners": [1]}, SquareConfig((1,))),
        ({"kind": "circle"}, CircleConfig()),
        (CircleConfig(2.0), CircleConfig(2.0)),
    ],
    ids=["name", "mapping", "mapping without fields", "instance"],
)
def test_a_component_can_be_given_in_any_form(given_as, expected):
    assert from_dict(Inner, {"shape": given_as}).shape == expected
    assert ShapeConfig.choose(given_as) == expected


def test_a_component_can_be_a_callable_that_builds():
    config = from_dict(Outer, {"inner": {"shape": lambda size: f"mine {size}"}})
    assert isinstance(config.inner.shape, ShapeConfig)
    assert config.inner.shape.build(3) == "mine 3"
    assert config.inner.shape.kind == "custom"


def test_what_has_no_name_cannot_be_written():
    with pytest.raises(ConfigError, match="a custom shape has no name and cannot be written") as caught:
        to_dict(Inner(shape=ShapeConfig.choose(lambda size: "mine")))
    assert caught.value.hint == "add it as a row to its table"
    with pytest.raises(ConfigError, match="has no name and cannot be written"):
        to_dict(Outer(make=lambda: None))


def test_a_row_of_another_class_under_a_known_kind_cannot_be_written():
    class Circle(CircleConfig):
        pass

    with pytest.raises(ConfigError, match="cannot be written"):
        to_dict(Circle())


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        ({"step": 3}, "unknown key 'step'", "did you mean steps?"),
        ({"inner": {"rates": 3}}, "unknown key 'inner.rates'", "did you mean rate?"),
        ({"inner": {"shape": "circel"}}, "unknown shape 'circel'", "did you mean circle?"),
        ({"inner": {"shape": {"radius": 1}}}, "unknown shape '(no kind)'", "known: circle, square"),
        ({"inner": {"shape": {"kind": ["circle"]}}}, "unknown shape \"['circle']\"", "did you mean circle?"),
        (
            {"inner": {"shape": {"kind": "circle", "radios": 1}}},
            "unknown key 'inner.shape.radios'",
            "did you mean radius?",
        ),
        ({"inner": {"shape": 3}}, "3 is not a shape", "give a name (circle, square) or an instance"),
        ({"inner": {"rate": -1}}, "rate = -1.0 is not allowed; allowed: 0 or more", "try 0.1"),
    ],
    ids=lambda item: item if isinstance(item, str) and item.startswith("unknown") else "",
)
def test_what_is_wrong_is_named_with_a_hint(data, message, hint):
    with pytest.raises(ConfigError) as caught:
        from_dict(Outer, data)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("steps", 1.5, "a whole number"),
        ("steps", True, "a whole number"),
        ("steps", "3", "a whole number"),
        ("steps", None, "a whole number"),
        ("name", 3, "text"),
        ("flag", 1, "true or false"),
        ("flag", "true", "true or false"),
        ("size", "big", "a whole number or tuple[int, int]"),
        ("size", [1, 2, 3], "a whole number or tuple[int, int]"),
        ("size", [1, "2"], "a whole number or tuple[int, int]"),
        ("limit", "nothing", "a number or nothing"),
        ("limit", True, "a number or nothing"),
        ("mode", "cut", "crop, squash"),
        ("mode", ["crop"], "crop, squash"),
        ("values", "1.0", "tuple[float, ...]"),
        ("values", 1.0, "tuple[float, ...]"),
        ("make", 3, "text or"),
        ("inner", 3, "a table of rate, shape"),
    ],
    ids=repr,
)
def test_a_value_of_the_wrong_type_is_refused(key, value, allowed):
    with pytest.raises(ConfigError) as caught:
        from_dict(Outer, {key: value})
    assert caught.value.message.startswith(f"{key} = {value!r} is not allowed; allowed: {allowed}")


def test_the_item_of_a_tuple_is_named():
    with pytest.raises(ConfigError, match=r"values = 'x' is not allowed; allowed: a number"):
        from_dict(Outer, {"values": [1.0, "x"]})


def test_nothing_can_be_said_in_a_word_as_toml_must():
    assert from_dict(Outer, {"limit": "none"}).limit is None
    assert from_dict(Outer, {"extra": "none"}).extra is None
    assert from_dict(Outer, {"name": "none"}).name == "none"


def test_numbers_become_what_the_field_wants():
    config = from_dict(Outer, {"values": [1, 2.5], "limit": 3, "size": [4, 5], "inner": {"rate": 1}})
    assert config.values == (1.0, 2.5)
    assert isinstance(config.values[0], float)
    assert isinstance(config.limit, float)
    assert isinstance(config.inner.rate, float)
    assert config.size == (4, 5)
    assert isinstance(config.size, tuple)


def test_a_component_is_no_nested_config():
    assert [is_config(kind) for kind in (Inner, CircleConfig, int, 3)] == [True, False, False, False]
