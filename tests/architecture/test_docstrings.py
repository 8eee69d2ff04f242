"""Everything public says what it does, by one template, under a name that means one thing.

What overrides a documented method of a base class in vitrail may keep to one line, as may the two methods of a
component; `forward` of a module and all that begins with an underscore need nothing.
"""

from __future__ import annotations

import ast
import re

import pytest

ROOMS = {
    "core", "nn", "models", "data", "weights", "engines", "train", "evaluation", "analysis", "bench", "export",
    "report", "jobs", "studies", "serve", "cli",
}  # fmt: skip
ONE_LINE = {"rows", "build"}
UNDOCUMENTED = {"forward"}
NOTHING = {"None", "NoReturn", "Never", "Iterator[None]", "Generator[None]", "Generator[None, None, None]"}

EXCEPTIONS: dict[str, str] = {}
"""path:name → why the template does not fit."""


def section(text, heading):
    """Give the lines of a section of a docstring, as one text; empty if there is none."""
    found = re.search(rf"^{heading}:\n((?:[ \t]+.*\n?|\n)+)", text, flags=re.MULTILINE)
    return found.group(1) if found else ""


def missing_arguments(text, names):
    described = set(re.findall(r"^    \*{0,2}(\w+):", section(text, "Args"), flags=re.MULTILINE))
    return [name for name in names if name not in described]


def first_line(text):
    """Complain of a first line that is not one whole sentence."""
    line = text.split("\n", 1)[0]
    if not re.match(r"[A-Z`]|vitrail", line):
        yield f"begins with {line[:12]!r}, not with a capital letter"
    if not line.endswith((".", ":", "?")):
        yield f"its first line {line!r} is not a whole sentence"


def parameters(function):
    given = function.args
    names = [item.arg for item in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    names += [item.arg for item in (given.vararg, given.kwarg) if item]
    return [name for name in names if name not in ("self", "cls", "args", "kwargs") and not name.startswith("_")]


def decorated(node, *names):
    found = {part for item in node.decorator_list for part in re.findall(r"\w+", ast.unparse(item))}
    return bool(found & set(names))


def constructor(node):
    """List the arguments that a class's own docstring must describe."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return parameters(item)
    if not decorated(node, "dataclass"):
        return []
    fields = [item for item in node.body if isinstance(item, ast.AnnAssign)]
    return [item.target.id for item in fields if "ClassVar" not in ast.unparse(item.annotation)]


def inherited(node, classes):
    """List the documented methods of a class's bases."""
    for base in node.bases:
        above = classes.get(ast.unparse(base).partition("[")[0])
        if above is not None:
            yield from (
                item.name for item in above.body if isinstance(item, ast.FunctionDef) and ast.get_docstring(item)
            )
            yield from inherited(above, classes)


def complaints_of_function(function, is_method):
    text = ast.get_docstring(function)
    if text is None:
        yield "has no docstring"
        return
    yield from first_line(text)
    if decorated(function, "property", "cached_property") or function.name in ONE_LINE:
        return
    for name in missing_arguments(text, parameters(function)):
        yield f"does not describe {name!r} under Args:"
    returns = ast.unparse(function.returns).strip("'\"") if function.returns else "None"
    if not is_method and returns not in NOTHING and not section(text, "Returns") and not section(text, "Yields"):
        yield f"gives {returns} and has neither Returns: nor Yields:"


def complaints_of_class(node, classes):
    text = ast.get_docstring(node)
    if text is None:
        yield node.name, "has no docstring"
        return
    yield from ((node.name, what) for what in first_line(text))
    for name in missing_arguments(text, constructor(node)):
        yield node.name, f"does not describe {name!r} under Args:"
    known = set(inherited(node, classes))
    for item in node.body:
        if not isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) or item.name.startswith("_"):
            continue
        documented_above = item.name in known and "\n" not in (ast.get_docstring(item) or "")
        if item.name not in UNDOCUMENTED and not documented_above:
            yield from ((f"{node.name}.{item.name}", what) for what in complaints_of_function(item, is_method=True))


def undocumented(sources):
    """List what breaks the template: where, and how."""
    classes = {node.name: node for source in sources for node in source.classes()}
    found = []
    for source in sources:
        text = ast.get_docstring(source.tree)
        found += [(source.path, what) for what in (first_line(text) if text else ["has no docstring"])]
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                complaints = list(complaints_of_class(node, classes))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                complaints = [(node.name, what) for what in complaints_of_function(node, is_method=False)]
            else:
                complaints = []
            found += [(f"{source.path}:{name}", what) for name, what in complaints]
    return found


def test_everything_public_is_documented(sources):
    found = [f"{where} {what}" for where, what in undocumented(sources) if where not in EXCEPTIONS]
    assert not found, "\n".join(found)


def test_every_exception_is_needed_and_has_a_reason(sources):
    assert EXCEPTIONS.keys() <= {where for where, _ in undocumented(sources)}
    assert all(EXCEPTIONS.values())


BASE = '''class Base:
    """Be the base."""
    def hook(self, x):
        """Do it.

        Args:
            x: it.
        """
'''
WHOLE = '''def f(x, *y) -> int:
    """Do it.

    Args:
        x: one.
        y: two.

    Returns:
        Three.
    """
'''


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("def f(): pass", "has no docstring"),
        ("class A: pass", "has no docstring"),
        ('def f():\n    """do it."""', "begins with"),
        ('def f():\n    """Do it"""', "is not a whole sentence"),
        ('def f(x):\n    """Do it."""', "does not describe 'x'"),
        ('def f(*, x, y):\n    """Do it.\n\n    Args:\n        x: one.\n    """', "does not describe 'y'"),
        ('def f() -> int:\n    """Do it."""', "gives int"),
        ('class A:\n    """Be it."""\n    def f(self): pass', "has no docstring"),
        ('class A:\n    """Be it."""\n    def f(self, x):\n        """Do it."""', "does not describe 'x'"),
        ('class A:\n    """Be it."""\n    def __init__(self, x): pass', "does not describe 'x'"),
        ('@dataclass\nclass A:\n    """Be it."""\n    x: int = 0', "does not describe 'x'"),
        (
            BASE + 'class A(Base):\n    """Be it."""\n    def other(self, x):\n        """Do it."""',
            "does not describe 'x'",
        ),
    ],
)
def test_what_is_not_documented_is_seen(sample, text, complaint):
    found = undocumented([sample(f'"""Sample."""\n{text}')])
    assert len(found) == 1
    assert complaint in found[0][1]


@pytest.mark.parametrize(
    "text",
    [
        "def _f(x): pass",
        WHOLE,
        'def f() -> None:\n    """Do it."""',
        'class A:\n    """Be it."""\n    def forward(self, x): pass',
        'class A:\n    """Be it."""\n    @property\n    def f(self) -> int:\n        """How many."""',
        '@dataclass\nclass A:\n    """Be it."""\n    x: ClassVar[int] = 0',
        'class A:\n    """Be it."""\n    def build(self, dim):\n        """Build."""',
        BASE + 'class A(Base):\n    """Be it."""\n    def hook(self, x):\n        """Do it well."""',
        BASE + 'class A(Base):\n    """Be it."""\n    def hook(self, x): pass',
    ],
)
def test_what_is_documented_is_let_be(sample, text):
    assert undocumented([sample(f'"""Sample."""\n{text}')]) == []


def misnamed(sources):
    """List names that the house does not allow."""
    found = []
    for source in sources:
        if source.module.rpartition(".")[2] in ("util", "utils", "helper", "helpers"):
            found.append(f"{source.path}: say what is in it")
        names = [node.name for node in source.tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        found += [f"{source.path}: {name}() has the name of a room" for name in names if name in ROOMS]
        found += [f"{source.path}: class {node.name}" for node in source.classes() if node.name.endswith("Manager")]
    return found


def test_names_mean_one_thing(sources):
    assert misnamed(sources) == []


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("def export(): pass", "src/vitrail/jobs/out.py"),
        ("class RunManager: pass", "src/vitrail/jobs/out.py"),
        ("", "src/vitrail/jobs/utils.py"),
        ("", "src/vitrail/helpers/__init__.py"),
    ],
)
def test_a_name_that_is_not_allowed_is_seen(sample, text, path):
    assert len(misnamed([sample(text, path)])) == 1


def test_the_rooms_are_those_that_exist(sources):
    existing = {source.path.split("/")[2] for source in sources if source.path.count("/") > 2}
    assert existing <= ROOMS
    assert {"core", "nn", "models"} <= existing
