"""Configs as TOML files."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitrail.core.errors import ConfigError, StorageError
from vitrail.core.toml import read_toml, write_toml
from vitrail.data.spec import ImageSpec
from vitrail.models import ViTConfig
from vitrail.models.variants import VARIANTS, variant_fields


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    limit: int | None = None


@dataclass(frozen=True)
class Outer:
    name: str = "x"
    sizes: tuple[int, ...] = (1, 2)
    limits: tuple[int | None, ...] = ()
    inner: Inner = Inner()


TEXT = st.text(st.characters(codec="utf-8"))
INT = st.integers(-(2**63), 2**63 - 1)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    config=st.builds(
        Outer,
        TEXT,
        st.lists(INT).map(tuple),
        st.lists(st.none() | INT).map(tuple),
        st.builds(Inner, st.floats(allow_nan=False), st.none() | INT),
    )
)
def test_what_is_written_reads_back_the_same(tmp_path, config):
    write_toml(tmp_path / "config.toml", config, "a config")
    assert read_toml(tmp_path / "config.toml", Outer) == config


def test_what_is_written(tmp_path):
    path = tmp_path / "folder" / "config.toml"
    write_toml(path, Outer(name="grün"), "how it was made")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# how it was made"
    assert 'name = "grün"' in lines
    assert 'limit = "none"' in lines


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"name = ", "cannot be read as a config"),
        (b"\xff\xfe", "cannot be read as a config"),
        (b"nam = 'x'", "unknown key 'nam'\nhint: did you mean name?"),
        (b"[inner]\nlimit = 1.5", "inner.limit = 1.5 is not allowed; allowed: a whole number or nothing"),
    ],
    ids=["missing", "no TOML", "no text", "unknown key", "wrong value"],
)
def test_a_file_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_toml(path, Outer)


def test_real_configs_read_back_the_same(tmp_path):
    for config in [*(ViTConfig.of(**variant_fields(name)) for name in list(VARIANTS)[::7]), ImageSpec()]:
        write_toml(tmp_path / "config.toml", config, "a config")
        assert read_toml(tmp_path / "config.toml", type(config)) == config


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_toml(tmp_path / "file" / "config.toml", Outer(), "a config")
