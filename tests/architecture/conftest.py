"""The source as syntax trees: measures read it and give a list of complaints, which must be empty."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """Hold one Python file: its path from the repository's root, such as "src/vitrail/nn/mlp.py", and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def module(self) -> str:
        """The dotted name, such as "vitrail.nn.mlp"."""
        parts = self.path.removeprefix("src/").removesuffix(".py").split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def is_package(self) -> bool:
        """Whether this is an `__init__.py`."""
        return self.path.endswith("/__init__.py")

    def functions(self) -> Iterator[tuple[str, Function]]:
        """List every function and method with its dotted name in the file, nested ones included."""
        yield from _functions(self.tree, "")

    def classes(self) -> Iterator[ast.ClassDef]:
        """List every class."""
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for child in ast.iter_child_nodes(node):
        name = f"{prefix}{child.name}" if isinstance(child, Function | ast.ClassDef) else ""
        if isinstance(child, Function):
            yield name, child
        yield from _functions(child, name + "." if name else prefix)


def read(root: Path, folder: str) -> list[Source]:
    """Read every Python file below a folder."""
    paths = sorted((root / folder).rglob("*.py"))
    return [Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


@pytest.fixture(scope="session")
def sources(root: Path) -> list[Source]:
    """Give every file of vitrail."""
    found = read(root, "src")
    assert len(found) > 20
    return found


@pytest.fixture(scope="session")
def sources_of_tests(root: Path) -> list[Source]:
    """Give every file of the tests."""
    return read(root, "tests")


@pytest.fixture(scope="session")
def sample() -> Callable[..., Source]:
    """Give a function that makes a Source of a text, to show that a measure sees what it should."""

    def make(text: str, path: str = "src/vitrail/nn/sample.py") -> Source:
        return Source(path, text)

    return make
