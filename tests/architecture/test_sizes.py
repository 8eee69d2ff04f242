"""Files, functions and constructors are small enough to be read at once."""

from __future__ import annotations

import ast

import pytest

FILE, FUNCTION, CONSTRUCTOR = 300, 60, 14

EXCEPTIONS: dict[str, str] = {}
"""Path, or path:name → why it may be larger."""


def is_table(node):
    """Say whether a statement at module level is a table of data: a name bound to a display, or to a Table of one."""
    value = getattr(node, "value", None)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in ("Table", "frozenset"):
        value = next((item for item in value.args if not isinstance(item, ast.Constant)), None)
    displays = ast.Dict | ast.List | ast.Set | ast.Tuple
    return isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(value, displays)


def lines_of(node):
    return node.end_lineno - node.lineno + 1


def file_length(source):
    return len(source.text.splitlines()) - sum(lines_of(node) for node in source.tree.body if is_table(node))


def parameters(function):
    given = function.args
    names = [item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs) if item.arg != "self"]
    return names + [item.arg for item in (given.vararg, given.kwarg) if item]


def is_dataclass(node):
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def fields(node):
    own = [item for item in node.body if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)]
    return [
        item.target.id
        for item in own
        if "ClassVar" not in ast.unparse(item.annotation) and "init=False" not in ast.unparse(item)
    ]


def constructor(node, classes):
    """List the arguments of a class's constructor, those of base classes in the same tree included."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return parameters(item)
    bases = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
    inherited = [name for base in bases for name in constructor(base, classes)]
    is_record = is_dataclass(node) or any(ast.unparse(base).endswith("NamedTuple") for base in node.bases)
    return list(dict.fromkeys(inherited + (fields(node) if is_record else [])))


def too_large(sources):
    """List what is larger than it may be: where → how large."""
    classes = {node.name: node for source in sources for node in source.classes()}
    found = {}
    for source in sources:
        if file_length(source) > FILE:
            found[source.path] = f"{file_length(source)} lines, tables of data aside; at most {FILE}"
        for name, function in source.functions():
            if lines_of(function) > FUNCTION:
                found[f"{source.path}:{name}"] = f"{lines_of(function)} lines; at most {FUNCTION}"
        for node in source.classes():
            count = len(constructor(node, classes))
            if count > CONSTRUCTOR:
                found[f"{source.path}:{node.name}"] = f"{count} arguments; at most {CONSTRUCTOR}"
    return found


def test_nothing_is_too_large(sources):
    found = [f"{where}: {what}" for where, what in too_large(sources).items() if where not in EXCEPTIONS]
    assert not found, "\n".join(found)


def test_every_exception_is_needed_and_has_a_reason(sources):
    assert EXCEPTIONS.keys() <= too_large(sources).keys()
    assert all(EXCEPTIONS.values())


LONG = "def f(self):\n" + "    x = 1\n" * 60
FIELDS = "".join(f"    field{index}: int = 0\n" for index in range(15))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("x = 1\n" * 301, ""),
        ("rows()\n" * 100 + "TABLE = {\n" + "    1: 2,\n" * 100 + "}\n" + "rows()\n" * 201, ""),
        (LONG, ":f"),
        ("class A:\n" + LONG.replace("def", " def").replace("    ", "     "), ":A.f"),
        (f"class A:\n    def __init__(self, {', '.join(f'a{i}' for i in range(15))}): pass\n", ":A"),
        (f"@dataclass(frozen=True)\nclass A:\n{FIELDS}", ":A"),
        (f"class A(NamedTuple):\n{FIELDS}", ":A"),
        (f"@dataclass\nclass A:\n{FIELDS[:-21]}\n@dataclass\nclass B(A):\n    one: int\n    two: int\n", ":B"),
    ],
    ids=["file", "file with a table", "function", "method", "constructor", "dataclass", "named tuple", "inherited"],
)
def test_what_is_too_large_is_seen(sample, text, where):
    assert list(too_large([sample(text)])) == [f"src/vitrail/nn/sample.py{where}"]


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * 300,
        'TABLE: Table[int] = Table(\n    "what",\n    {\n' + "        1: 2,\n" * 400 + "    },\n)\n",
        "def f(self):\n" + "    x = 1\n" * 59,
        f"@dataclass\nclass A:\n{FIELDS.replace('field0: int', 'field0: ClassVar[int]')}",
        f"class A:\n{FIELDS}",
    ],
    ids=["file", "table", "function", "dataclass", "plain class"],
)
def test_what_is_small_enough_is_let_be(sample, text):
    assert too_large([sample(text)]) == {}
