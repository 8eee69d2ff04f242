"""Nothing in vitrail executes what it reads: no pickle, no evaluation of text, no shell."""

from __future__ import annotations

import ast

import pytest

MODULES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
CALLS = {"eval", "exec", "torch.load", "os.system", "yaml.load", "torch.hub.load", "pd.read_pickle"}
SETTINGS = {"allow_pickle": True, "shell": True, "trust_remote_code": True, "weights_only": False}


def loads_tensors_only(node):
    """Say whether a node is `torch.load(…, weights_only=True)`, which executes nothing."""
    given = [item.value for item in getattr(node, "keywords", ()) if item.arg == "weights_only"]
    literal = len(given) == 1 and isinstance(given[0], ast.Constant) and given[0].value is True
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load" and literal


def dangers(source):
    """List what could execute data."""
    found = []
    tensors_only = {id(node.func) for node in ast.walk(source.tree) if loads_tensors_only(node)}
    for node in ast.walk(source.tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            found += [f"{node.module}.{alias.name}" for alias in node.names if f"{node.module}.{alias.name}" in CALLS]
        elif isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in CALLS and id(node) not in tensors_only:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.keyword) and node.arg in SETTINGS:
            given = node.value.value if isinstance(node.value, ast.Constant) else SETTINGS[node.arg]
            if given is SETTINGS[node.arg]:
                found.append(ast.unparse(node))
        found += [name for name in names if name.partition(".")[0] in MODULES]
    return [f"{source.path}: {what}" for what in found]


def test_nothing_executes_data(sources):
    found = [what for source in sources for what in dangers(source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "import pickle as p",
        "def f():\n    from pickle import loads",
        "import joblib.externals",
        "torch.load(path)",
        "torch.load(path, True)",
        "torch.load(path, weights_only=1)",
        "from torch import load",
        "reader = torch.load",
        "eval(text)",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=given)",
        "subprocess.run(text, shell=True)",
        "f(weights_only=False)",
    ],
)
def test_danger_is_seen(sample, text):
    assert len(dangers(sample(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "model.eval()",
        "re.exec",
        "np.load(path, allow_pickle=False)",
        "safetensors.load(x)",
        "torch.load(x, weights_only=True)",
    ],
)
def test_what_is_safe_is_let_be(sample, text):
    assert dangers(sample(text)) == []
