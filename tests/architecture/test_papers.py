"""What stands in two places says the same in both, and no file speaks of the machine it was written on."""

from __future__ import annotations

import re
import runpy
import subprocess
import tomllib

import pytest

import vitrail

MACHINE = re.compile("/" + r"(?:work|farm|home|Users)/[a-z.]")


@pytest.fixture(scope="module")
def project(root):
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))


def tracked(root):
    """List the files under version control that are there."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a checkout: the files under version control cannot be listed")
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def machine_paths(text):
    return [line.strip() for line in text.splitlines() if MACHINE.search(line)]


def test_the_version_is_one(root, project):
    version = project["project"]["version"]
    assert vitrail.__version__ == version
    assert re.search(rf"^## \[?{re.escape(version)}\b", (root / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)


def test_constraints_are_those_of_pyproject(root):
    script = runpy.run_path(str(root / "scripts" / "constraints"))
    assert (root / "constraints.txt").read_text(encoding="utf-8") == script["constraints"](root)


def test_every_direct_dependency_is_pinned(project):
    groups = (project["project"]["dependencies"], *project["dependency-groups"].values())
    direct = {re.split(r"[<>=\[ ]", line)[0] for group in groups for line in group}
    pins = dict(line.split("==") for line in project["tool"]["uv"]["constraint-dependencies"])
    assert pins.keys() == direct


def test_types_are_published(root):
    assert (root / "src" / "vitrail" / "py.typed").is_file()


def test_the_licence_is_apache_2(root, project):
    text = (root / "LICENSE").read_text(encoding="utf-8")
    assert project["project"]["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_readme_has_the_two_commands(root):
    text = (root / "README.md").read_text(encoding="utf-8")
    assert re.search(r"^pip install uv && uv run vitrail demo\b", text, flags=re.MULTILINE)
    assert re.search(r"^pip install uv && uv run pytest\b", text, flags=re.MULTILINE)


def test_no_file_speaks_of_one_machine(root):
    found = {}
    for path in tracked(root):
        try:
            found[path.relative_to(root).as_posix()] = machine_paths(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
    assert len(found) > 50
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize("folder", ["work", "farm", "home"])
def test_a_path_of_one_machine_is_seen(folder):
    assert machine_paths(f"first\nopen('/{folder}/someone/file')\n") == [f"open('/{folder}/someone/file')"]
    assert machine_paths(f"{folder}/someone and https://example.org/{folder}s/x") == []


@pytest.mark.parametrize("name", [".ci/run", "scripts/check", "scripts/constraints", "scripts/test"])
def test_scripts_can_be_executed(root, name):
    assert (root / name).stat().st_mode & 0o111 == 0o111
