"""Every test asserts something."""

from __future__ import annotations

import ast
import re

import pytest

CHECKS = re.compile(r"(pytest\.)?(raises|warns|fail)|assert_\w+|(\w+\.)*testing\.\w+|(\w+\.)*assert_\w+")


def names_called(node):
    return {ast.unparse(item.func) for item in ast.walk(node) if isinstance(item, ast.Call)}


def asserts(node, helpers):
    """Say whether a function asserts, itself or by a helper of the tests that does."""
    called = names_called(node)
    by_itself = any(isinstance(item, ast.Assert) for item in ast.walk(node))
    by_itself |= any(isinstance(item, ast.keyword) and ast.unparse(item) == "check=True" for item in ast.walk(node))
    return by_itself or any(CHECKS.fullmatch(name) for name in called) or bool(called & helpers)


def asserting_helpers(sources):
    functions = {name: node for source in sources for name, node in source.functions() if "test_" not in name}
    found = set()
    while new := {name for name, node in functions.items() if name not in found and asserts(node, found)}:
        found |= new
    return found


def idle(sources):
    """List tests that assert nothing."""
    helpers = asserting_helpers(sources)
    return [
        f"{source.path}:{name}"
        for source in sources
        for name, node in source.functions()
        if name.rpartition(".")[2].startswith("test_") and not asserts(node, helpers)
    ]


def test_every_test_asserts(sources_of_tests):
    tests = [source for source in sources_of_tests if source.path.rpartition("/")[2].startswith("test_")]
    assert len(tests) > 10
    found = idle(sources_of_tests)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("def test_a(): pass", 1),
        ("def test_a(): f()\ndef f(): pass", 1),
        ("class TestA:\n    def test_a(self): pass", 1),
        ("def test_a(): assert x", 0),
        ("def test_a():\n    with pytest.raises(ValueError): f()", 0),
        ("def test_a(): subprocess.run(command, check=True)", 0),
        ("def test_a(): subprocess.run(command)", 1),
        ("def test_a(): torch.testing.assert_close(x, y)", 0),
        ("def test_a(): f()\ndef f(): g()\ndef g(): assert x", 0),
    ],
)
def test_a_test_that_asserts_nothing_is_seen(sample, text, count):
    assert len(idle([sample(text, "tests/test_sample.py")])) == count
