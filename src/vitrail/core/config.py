"""Frozen dataclasses as configs: read from plain data, checked, overridden by name, written back.

A config is a frozen dataclass whose fields are numbers, strings, tuples, other configs, or *components*: a choice
among the rows of a table, each row a small config of its own (`Component`).
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, TypeVar

from vitrail.core.errors import ConfigError
from vitrail.core.table import Table, did_you_mean

Config = TypeVar("Config")


def require(ok: bool, field: str, value: object, allowed: str, hint: str = "") -> None:
    """Refuse a value.

    Args:
        ok: whether the value is allowed.
        field: name of the field.
        value: what was given.
        allowed: what is allowed, in words.
        hint: the next thing to try.

    Raises:
        ConfigError: if not `ok`.
    """
    if not ok:
        raise ConfigError(f"{field} = {value!r} is not allowed; allowed: {allowed}", hint=hint)


class Component:
    """Be one row of a table of kinds; subclasses are frozen dataclasses with a `kind` and a `build` method."""

    kind: ClassVar[str] = "custom"

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds this component is chosen from.

        Returns:
            kind → config class.
        """
        raise NotImplementedError

    @classmethod
    def choose(cls, value: object, where: str = "") -> Self:
        """Turn whatever names a component into its config.

        Args:
            value: a kind, a mapping with the key "kind", a config or its class, or any callable that builds the module.
            where: dotted name of the field, for messages.

        Returns:
            The config.

        Raises:
            ConfigError: for an unknown kind or unknown keys.
        """
        if isinstance(value, type) and issubclass(value, cls):
            return value()
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return typing.cast(Self, cls.rows()[value]())
        if isinstance(value, Mapping):
            rest = {key: item for key, item in value.items() if key != "kind"}
            row = cls.rows()[str(value.get("kind", "(no kind)"))]
            return typing.cast(Self, from_dict(row, rest, where and where + "."))
        if callable(value):
            return typing.cast(Self, type("Custom", (cls,), {"build": staticmethod(value)})())
        raise ConfigError(
            f"{value!r} is not a {cls.rows().what}", hint=f"give a name ({', '.join(cls.rows())}) or an instance"
        )


def field_types(cls: Any) -> dict[str, Any]:
    """Look up the fields of a config.

    Args:
        cls: a dataclass.

    Returns:
        name → type; empty for anything else.
    """
    return _field_types(cls)


@functools.cache
def _field_types(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else {}


def is_config(annotation: object) -> bool:
    """Say whether an annotation is a nested config.

    Args:
        annotation: a type.

    Returns:
        True for dataclasses that are not components.
    """
    return (
        isinstance(annotation, type) and dataclasses.is_dataclass(annotation) and not issubclass(annotation, Component)
    )


def from_dict(cls: type[Config], data: Mapping[str, Any], where: str = "") -> Config:
    """Build a config from plain data.

    Args:
        cls: a frozen dataclass.
        data: field → value; nested configs as mappings, components as names or mappings.
        where: dotted prefix for messages.

    Returns:
        The config; fields that are not given have their defaults.

    Raises:
        ConfigError: for unknown or missing keys and values of the wrong type.
    """
    fields = field_types(cls)
    for key in data:
        if key not in fields:
            raise ConfigError(f"unknown key {where + key!r}", hint=did_you_mean(key, fields))
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        if field.name not in data and field.default is field.default_factory is dataclasses.MISSING:
            raise ConfigError(f"missing key {where + field.name!r}", hint=f"it is {_describe(fields[field.name])}")
    return cls(**{key: convert(value, fields[key], where + key) for key, value in data.items()})


def convert(value: Any, annotation: Any, where: str) -> Any:
    """Check a value against an annotation, turning plain data into configs on the way.

    Args:
        value: what was given.
        annotation: type of the field.
        where: dotted name for messages.

    Returns:
        The value as the field wants it.

    Raises:
        ConfigError: if it does not fit.
    """
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if isinstance(annotation, type) and issubclass(annotation, Component):
        return annotation.choose(value, where)
    if is_config(annotation):
        if isinstance(value, annotation):
            return value
        require(isinstance(value, Mapping), where, value, f"a table of {', '.join(field_types(annotation))}")
        return from_dict(annotation, value, where + ".")
    if origin in (types.UnionType, typing.Union):
        for option in sorted(arguments, key=lambda option: option is not type(None)):
            try:
                return convert(value, option, where)
            except ConfigError:
                continue
    elif origin is tuple and isinstance(value, Sequence) and not isinstance(value, str):
        kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else list(arguments)
        if len(kinds) == len(value):
            return tuple(convert(item, kind, where) for item, kind in zip(value, kinds, strict=True))
    elif origin is typing.Literal and value in arguments:
        return value
    elif origin is dict and isinstance(value, Mapping):
        return dict(value)
    elif annotation is type(None) and value in (None, "none"):
        return None
    elif annotation is Any:
        return value
    elif annotation is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    elif annotation is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    elif annotation in (str, bool) and isinstance(value, annotation):
        return value
    elif origin is not None and isinstance(origin, type) and issubclass(origin, Callable) and callable(value):  # type: ignore[arg-type]
        return value
    raise ConfigError(f"{where} = {value!r} is not allowed; allowed: {_describe(annotation)}")


def _describe(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return ", ".join(str(option) for option in typing.get_args(annotation))
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return " or ".join(_describe(option) for option in typing.get_args(annotation))
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false", type(None): "nothing"}
    return names.get(annotation, str(annotation).removeprefix("typing."))


def to_dict(config: Any) -> Any:
    """Turn a config into plain data that `from_dict` reads back.

    Args:
        config: a config, or anything inside one.

    Returns:
        Mappings, lists, numbers and strings.

    Raises:
        ConfigError: for a component or function that is not a row of a table and so has no name to write.
    """
    if isinstance(config, Component):
        if config.rows().get(config.kind) is not type(config):
            raise ConfigError(
                f"a custom {config.rows().what} has no name and cannot be written to a file",
                hint="add it as a row to its table",
            )
        return {"kind": config.kind, **_items(config)}
    if dataclasses.is_dataclass(config):
        return _items(config)
    if isinstance(config, tuple | list):
        return [to_dict(item) for item in config]
    if callable(config):
        raise ConfigError(
            f"{config!r} has no name and cannot be written to a file", hint="add it as a row to its table"
        )
    return config


def _items(config: Any) -> dict[str, Any]:
    return {field.name: to_dict(getattr(config, field.name)) for field in dataclasses.fields(config)}
