"""Settings laid over a config by name, as on a command line: `lr=0.001`."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from vitrail.core.config import convert, field_types, is_config, require
from vitrail.core.errors import ConfigError
from vitrail.core.table import did_you_mean

Config = TypeVar("Config")


def leaves(cls: type, prefix: str = "") -> Iterator[str]:
    """List the dotted names of every field that is not itself a nested config.

    Args:
        cls: a config class.
        prefix: dotted prefix.

    Yields:
        Names such as "optimizer.lr".
    """
    for name, annotation in field_types(cls).items():
        if is_config(annotation):
            yield from leaves(annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """Replace fields by name.

    Args:
        config: where to start.
        values: name → value. A name is dotted ("block.num_heads"), or just its last part where that is unique.

    Returns:
        A new config.

    Raises:
        ConfigError: for unknown or ambiguous names and wrong values.
    """
    for name, value in values.items():
        config = _replace(config, full_name(type(config), name).split("."), value, name)
    return config


def full_name(cls: type, name: str) -> str:
    """Complete the name of a field.

    Args:
        cls: a config class.
        name: a dotted name, or just its last part where that is unique, or a field of a component named so.

    Returns:
        The dotted name.

    Raises:
        ConfigError: if it is unknown or ambiguous.
    """
    known = list(leaves(cls))
    if name in known or name in field_types(cls) or name.rpartition(".")[0] in known:
        return name
    part, dot, field = name.rpartition(".")
    matches = [leaf for leaf in known if leaf.endswith("." + name)]
    if not matches and dot:
        matches = [f"{leaf}.{field}" for leaf in known if leaf.endswith("." + part)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ConfigError(f"key {name!r} is ambiguous", hint=f"write one of {', '.join(matches)}")
    hint = did_you_mean(name, [*known, *(leaf.rpartition(".")[2] for leaf in known)])
    raise ConfigError(f"unknown key {name!r}", hint=hint)


def _replace(config: Any, parts: Sequence[str], value: Any, where: str) -> Any:
    annotation = field_types(type(config)).get(parts[0])
    if annotation is None:
        raise ConfigError(f"unknown key {where!r}", hint=did_you_mean(parts[0], field_types(type(config))))
    if len(parts) > 1:
        value = _replace(getattr(config, parts[0]), parts[1:], value, where)
    return dataclasses.replace(config, **{parts[0]: convert(value, annotation, where)})


def parse_assignments(texts: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` as given on a command line.

    Args:
        texts: each "key=value"; the value is read as TOML, and as plain text where that fails.

    Returns:
        key → value.

    Raises:
        ConfigError: if there is no "=".
    """
    values = {}
    for text in texts:
        key, equals, raw = text.partition("=")
        require(bool(equals and key.strip()), "--set", text, "key=value, such as lr=0.001")
        try:
            values[key.strip()] = tomllib.loads(f"value = {raw}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = raw
    return values
