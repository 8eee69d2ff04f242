"""Lazy names: nothing is imported before it is used."""

import subprocess
import sys

import pytest

from vitrail.core.lazy import lazy_names


def test_a_name_is_imported_from_its_home():
    get, names = lazy_names("package", {"sqrt": "math", "Path": "pathlib"})
    import math

    assert get("sqrt") is math.sqrt
    assert names() == ["Path", "sqrt"]
    with pytest.raises(AttributeError, match="module 'package' has no attribute 'cube'"):
        get("cube")


def test_a_module_of_the_package_is_given_as_a_whole():
    code = "import vitrail; print(vitrail.analysis.__name__, vitrail.analysis.attention_distance.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["vitrail.analysis", "attention_distance"]


@pytest.mark.parametrize(
    "package",
    ["vitrail", "vitrail.core", "vitrail.models", "vitrail.models.variants", "vitrail.bench", "vitrail.analysis"],
)
def test_importing_a_package_does_not_import_torch(package):
    code = f"import sys, {package}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_public_name_of_models_resolves():
    import vitrail.models

    assert dir(vitrail.models) == sorted(vitrail.models.__all__)
    for name in vitrail.models.__all__:
        assert getattr(vitrail.models, name).__name__ == name
