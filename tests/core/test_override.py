"""Settings laid over a config by name, and read from a command line."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrail.core.config import Component, to_dict
from vitrail.core.errors import ConfigError
from vitrail.core.override import full_name, leaves, override, parse_assignments
from vitrail.core.table import Table


class ShapeConfig(Component):
    @classmethod
    def rows(cls) -> Table[Any]:
        return SHAPES


@dataclass(frozen=True)
class CircleConfig(ShapeConfig):
    kind: ClassVar[str] = "circle"
    radius: float = 1.0


@dataclass(frozen=True)
class SquareConfig(ShapeConfig):
    kind: ClassVar[str] = "square"
    corners: tuple[int, ...] = ()


SHAPES: Table[type[ShapeConfig]] = Table("shape", {row.kind: row for row in (CircleConfig, SquareConfig)})


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    shape: ShapeConfig = CircleConfig()


@dataclass(frozen=True)
class Other:
    rate: float = 0.5
    width: int = 3


@dataclass(frozen=True)
class Outer:
    steps: int = 10
    limit: float | None = None
    inner: Inner = Inner()
    other: Other = Other()


OUTERS = st.builds(
    Outer,
    steps=st.integers(),
    limit=st.none() | st.floats(allow_nan=False),
    inner=st.builds(
        Inner,
        rate=st.floats(0, 1),
        shape=st.builds(CircleConfig, st.floats(0, 9))
        | st.builds(SquareConfig, st.lists(st.integers(), max_size=4).map(tuple)),
    ),
    other=st.builds(Other, st.floats(0, 1), st.integers()),
)


def test_leaves_are_dotted():
    names = ["steps", "limit", "inner.rate", "inner.shape", "other.rate", "other.width"]
    assert list(leaves(Outer)) == names
    assert list(leaves(Inner, "a.")) == ["a.rate", "a.shape"]
    assert [full_name(Outer, name) for name in names] == names
    assert full_name(Outer, "width") == "other.width"
    assert full_name(Outer, "other") == "other"


@pytest.mark.parametrize("shape", ["square", {"kind": "square", "corners": [1]}, SquareConfig((1,))], ids=repr)
def test_a_component_can_be_given_in_any_form(shape):
    assert override(Outer(), {"shape": shape}).inner.shape == ShapeConfig.choose(shape)


def test_nothing_is_a_word_on_a_command_line():
    assert override(Outer(limit=3.0), parse_assignments(["limit=none"])).limit is None


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 1.5, "steps = 1.5 is not allowed; allowed: a whole number"),
        ("width", "3", "width = '3' is not allowed; allowed: a whole number"),
        ("other.width", None, "other.width = None is not allowed; allowed: a whole number"),
        ("other", 3, "other = 3 is not allowed; allowed: a table of rate, width"),
        ("shape", "circel", "unknown shape 'circel'"),
    ],
)
def test_a_wrong_value_is_named_as_it_was_given(name, value, message):
    with pytest.raises(ConfigError) as caught:
        override(Outer(), {name: value})
    assert caught.value.message == message


def test_override_by_last_part_dotted_name_and_whole_part():
    start = Outer()
    assert override(start, {"width": 7}) == Outer(other=Other(width=7))
    assert override(start, {"inner.rate": 0.7, "steps": 2}) == Outer(steps=2, inner=Inner(rate=0.7))
    assert override(start, {"other": {"width": 7}}) == Outer(other=Other(width=7))
    assert override(start, {"other": Other(1.0, 2)}) == Outer(other=Other(1.0, 2))
    assert override(start, {"shape": "square", "inner.shape.corners": [1, 2]}).inner.shape == SquareConfig((1, 2))
    assert override(start, {"shape.radius": 2.0}).inner.shape == CircleConfig(2.0)
    assert override(start, {}) is start
    assert start == Outer(), "configs are never changed"


@given(start=OUTERS, end=OUTERS)
def test_override_of_every_leaf_is_the_other_config(start, end):
    data = to_dict(end)
    values = dict.fromkeys(leaves(Outer), data)
    for name in values:
        for part in name.split("."):
            values[name] = values[name][part]
    assert override(start, values) == end


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("rate", "key 'rate' is ambiguous", "write one of inner.rate, other.rate"),
        ("widht", "unknown key 'widht'", "did you mean width?"),
        ("other.widht", "unknown key 'other.widht'", "did you mean other.width"),
        ("inner.shape.radios", "unknown key 'inner.shape.radios'", "did you mean radius?"),
        ("steps.more", "unknown key 'steps.more'", ""),
        ("width.more", "unknown key 'width.more'", ""),
        ("shape.radios", "unknown key 'shape.radios'", "did you mean radius?"),
    ],
)
def test_override_names_what_it_does_not_know(name, message, hint):
    with pytest.raises(ConfigError) as caught:
        override(Outer(), {name: 1})
    assert caught.value.message == message
    assert caught.value.hint.startswith(hint)


def test_override_inside_a_custom_component_is_refused():
    with pytest.raises(ConfigError, match="unknown key 'shape.radius'"):
        override(Inner(shape=ShapeConfig.choose(lambda size: "mine")), {"shape.radius": 1.0})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("lr=0.001", 0.001),
        ("lr=1e-3", 0.001),
        ("steps=3", 3),
        ("flag=true", True),
        ("size=[8, 16]", [8, 16]),
        ("model=S/16", "S/16"),
        ('model="S/16"', "S/16"),
        ("path=a=b", "a=b"),
        ("name=", ""),
        ("kind={kind='conv', widths=[1]}", {"kind": "conv", "widths": [1]}),
    ],
)
def test_assignments_are_read_as_toml_or_text(text, value):
    assert list(parse_assignments([text]).values()) == [value]


def test_several_assignments():
    assert parse_assignments(["a.b = 1", "c=x", "a.b=2"]) == {"a.b": 2, "c": "x"}
    assert parse_assignments([]) == {}


@pytest.mark.parametrize("text", ["lr", "=3", "", " =3"])
def test_an_assignment_needs_a_key_and_a_value(text):
    with pytest.raises(ConfigError) as caught:
        parse_assignments([text])
    assert caught.value.message == f"--set = {text!r} is not allowed; allowed: key=value, such as lr=0.001"


@given(values=st.dictionaries(st.sampled_from(["a", "b.c"]), st.integers() | st.booleans() | st.floats(0, 1)))
def test_assignments_round_trip(values):
    assert parse_assignments([f"{key}={json.dumps(value)}" for key, value in values.items()]) == values
