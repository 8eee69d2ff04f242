"""Rooms import lower rooms only, no two modules import each other, and every public name resolves."""

from __future__ import annotations

import ast
import graphlib
import importlib
import tomllib

import pytest
from importlinter import cli

LAYERS = [
    "cli", "serve | studies", "jobs", "bench", "train | evaluation | analysis | export | report", "engines", "weights",
    "models | data", "nn", "core",
]  # fmt: skip


def at_import(body):
    """List the statements that run when a module is imported; those for type checkers only do not."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            yield from at_import(node.orelse)
            continue
        yield node
        for name in ("body", "orelse", "finalbody", "handlers"):
            yield from at_import(getattr(node, name, ()))


def imported(statements, source):
    """List what statements import, each as the dotted names to try: for `from a import b` a.b, then a."""
    for node in statements:
        if isinstance(node, ast.Import):
            yield from ([alias.name] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = source.module.split(".") + ["self"] * source.is_package
            parts = [*(above[: -node.level] if node.level else []), *(node.module.split(".") if node.module else [])]
            base = ".".join(parts)
            yield from ([f"{base}.{alias.name}", base] for alias in node.names)


def import_graph(sources):
    """Give module → modules it imports when it is imported."""
    known = {source.module for source in sources}
    graph = {}
    for source in sources:
        targets = imported(at_import(source.tree.body), source)
        first = (next((name for name in names if name in known), None) for names in targets)
        graph[source.module] = {name for name in first if name is not None}
    return graph


def cycle(sources):
    """Find modules that import each other."""
    try:
        graphlib.TopologicalSorter(import_graph(sources)).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_itself_by_way_of_others(sources):
    assert sum(map(len, import_graph(sources).values())) > 50
    assert cycle(sources) == []


@pytest.mark.parametrize(
    ("back", "expected"),
    [
        ("from vitrail.nn.one import x", 3),
        ("import vitrail.nn.one", 3),
        ("from vitrail.nn import one", 3),
        ("from . import one", 3),
        ("from .one import x", 3),
        ("try:\n    from vitrail.nn.one import x\nexcept ImportError:\n    pass", 3),
        ("class A:\n    from vitrail.nn.one import x", 3),
        ("if TYPE_CHECKING:\n    from vitrail.nn.one import x", 0),
        ("def f():\n    from vitrail.nn.one import x", 0),
        ("import torch", 0),
    ],
)
def test_a_cycle_is_seen(sample, back, expected):
    one = sample("from vitrail.nn.two import y", "src/vitrail/nn/one.py")
    two = sample(back, "src/vitrail/nn/two.py")
    assert len(cycle([one, two, sample("", "src/vitrail/nn/__init__.py")])) == expected


def lint_imports(config, capsys):
    status = cli.lint_imports(config_filename=str(config), no_cache=True, no_logo=True)
    return status, capsys.readouterr().out


def test_layers_hold(root, capsys):
    status, out = lint_imports(root / "pyproject.toml", capsys)
    assert status == cli.EXIT_STATUS_SUCCESS, out
    assert "1 kept, 0 broken" in out


def test_layers_are_those_of_the_design(root):
    (contract,) = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert [layer.replace("(", "").replace(")", "") for layer in contract["layers"]] == LAYERS
    assert contract["exhaustive"]


@pytest.mark.parametrize(
    ("room", "text", "kept"),
    [
        ("cli", "from PACKAGE import nn", True),
        ("nn", "from PACKAGE import cli", False),
        ("data", "import PACKAGE.models", False),
        ("nn", "def f():\n    import PACKAGE.models", False),
        ("nn", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import PACKAGE.models", False),
    ],
    ids=["down", "up", "beside", "up, in a function", "up, for types"],
)
def test_the_layer_contract_can_be_broken(root, tmp_path, monkeypatch, capsys, room, text, kept):
    package = tmp_path.name
    for name in (
        "core",
        "nn",
        "models",
        "data",
        "weights",
        "engines",
        "train",
        "evaluation",
        "analysis",
        "report",
        "bench",
        "jobs",
        "studies",
        "cli",
    ):
        (tmp_path / package / name).mkdir(parents=True)
        (tmp_path / package / name / "__init__.py").write_text(text.replace("PACKAGE", package) if name == room else "")
    (tmp_path / package / "__init__.py").touch()
    config = (root / "pyproject.toml").read_text(encoding="utf-8").replace('"vitrail', f'"{package}')
    (tmp_path / "pyproject.toml").write_text(config, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    status, out = lint_imports(tmp_path / "pyproject.toml", capsys)
    assert (status == cli.EXIT_STATUS_SUCCESS) is kept, out
    assert "BROKEN" not in out if kept else "BROKEN" in out


def facade_imports(sources):
    """List imports of the root package's names by its own rooms: the version is the only one they may take."""
    found = []
    for source in sources:
        for names in imported(ast.walk(source.tree), source):
            takes_name = names[-1] == "vitrail" and len(names) == 2 and names[0] not in {s.module for s in sources}
            if names == ["vitrail"] or (takes_name and names[0] != "vitrail.__version__"):
                found.append(f"{source.path}: {names[0]}")
    return found


def test_rooms_take_only_the_version_from_the_root(sources):
    found = facade_imports(sources)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("from vitrail import fit", 1),
        ("import vitrail", 1),
        ("def f():\n    from vitrail import fit", 1),
        ("from vitrail import __version__", 0),
        ("from vitrail import nn", 0),
        ("import vitrail.nn.sample", 0),
    ],
)
def test_a_name_taken_from_the_root_is_seen(sample, text, count):
    assert len(facade_imports([sample(text), sample("", "src/vitrail/nn/__init__.py")])) == count


def test_every_public_name_resolves(sources):
    packages = [source.module for source in sources if source.is_package]
    with_names = [name for name in packages if hasattr(importlib.import_module(name), "__all__")]
    assert {"vitrail", "vitrail.models"} <= set(with_names)
    for package in with_names:
        module = importlib.import_module(package)
        assert len(set(module.__all__)) == len(module.__all__), package
        for name in module.__all__:
            assert getattr(module, name, None) is not None, f"{package}.{name}"
