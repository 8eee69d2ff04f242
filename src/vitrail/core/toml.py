"""Configs as TOML files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.core.files import write_atomically

Config = TypeVar("Config")


def write_toml(path: Path, config: Any, heading: str) -> None:
    """Write a config.

    Args:
        path: file to write.
        config: a config; a field that is None is written as "none".
        heading: comment on the first line.

    Raises:
        StorageError: if the disk refuses.
    """
    import tomli_w

    write_atomically(path, f"# {heading}\n\n{tomli_w.dumps(_named_none(to_dict(config)))}")


def read_toml(path: Path, cls: type[Config]) -> Config:
    """Read a config.

    Args:
        path: a file that `write_toml` wrote, or one like it.
        cls: its class.

    Returns:
        The config.

    Raises:
        ConfigError: if the file is missing, is no TOML, or has unknown keys or wrong values.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a config ({error})") from error
    return from_dict(cls, data)


def _named_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named_none(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_named_none(item) for item in value]
    return "none" if value is None else value
