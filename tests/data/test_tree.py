"""Files below folders and those that fit patterns: order, completeness, loops, and memory."""

from __future__ import annotations

import glob
import os
import tracemalloc
from pathlib import Path

import pytest

import vitrail
from vitrail.data import tree
from vitrail.data.tree import files_matching, images_below

NAMES = (
    "b.png", "a.JPG", "notes.txt", ".hidden.png", "Thumbs.db", "x/1.png", "x/y/2.png", "x/y/3.txt", "x-y/4.png",
    ".git/5.png", "__MACOSX/6.png", "z/[1].png", "z/ü.webp", "w/x/y/7.png",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a small tree of empty files."""
    for name in NAMES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    return tmp_path


def below(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in images_below(str(folder))]


def test_images_come_folder_by_folder_each_in_order(folder):
    expected = ["a.JPG", "b.png", "w/x/y/7.png", "x/1.png", "x/y/2.png", "x-y/4.png", "z/[1].png", "z/ü.webp"]
    assert below(folder) == expected


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.png", "**/*.png", "**", "x/**", "x/**/*.png", "**/x/**/*", "*/*.png", "x*/?.png", "z/[[]1].png", ".*",
     "**/y/*", "**/**/*.png", ".git/*", "w/*/y/7.png", "[!a]*", "*/y/*.png", "**/x/y/**/7.png"],
)  # fmt: skip
@pytest.mark.parametrize("relative", [False, True])
def test_patterns_match_what_the_standard_library_matches(folder, pattern, relative, monkeypatch):
    monkeypatch.chdir(folder)
    pattern = pattern if relative else str(folder / pattern)
    found = list(files_matching(pattern))
    expected = {path for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)}
    assert expected
    assert set(found) == expected
    assert len(found) == len(expected)


def test_patterns_that_fit_nothing(folder):
    for pattern in ("*.gif", "*/", "x/*/", "?"):
        assert list(files_matching(f"{folder}/{pattern}")) == []
    with pytest.raises(vitrail.DataError, match="nowhere cannot be read"):
        list(files_matching(str(folder / "nowhere" / "*.png")))


def test_links_are_followed_but_not_in_circles(folder):
    (folder / "x" / "around").symlink_to(folder)
    (folder / "z" / "link").symlink_to(folder / "w")
    (folder / "z" / "broken.png").symlink_to(folder / "gone.png")
    found = below(folder)
    assert "z/link/x/y/7.png" in found
    assert "z/broken.png" in found
    assert not any("around" in path for path in found)
    assert not any("around" in path for path in files_matching(str(folder / "**" / "*.png")))


def test_a_folder_that_cannot_be_read_stands_in_its_place(folder, monkeypatch):
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "y":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert below(folder) == ["a.JPG", "b.png", "w/x/y", "x/1.png", "x/y", "x-y/4.png", "z/[1].png", "z/ü.webp"]
    with pytest.raises(vitrail.DataError, match="y cannot be read: Permission denied"):
        list(images_below(str(folder / "x" / "y")))


def test_large_folders_are_read_in_parts(folder, monkeypatch):
    for number in range(101):
        (folder / f"many-{number * 7 % 101:03d}.png").touch()
    whole = below(folder)
    for size in (1, 2, 50, 103, 104):
        monkeypatch.setattr(tree, "AT_ONCE", size)
        assert below(folder) == whole
    assert len(whole) == 109


class _Entry:
    """Be an entry of a folder that is not there."""

    def __init__(self, number: int) -> None:
        self.name = f"image-{number:09d}-with-a-name-of-usual-length.png"

    def is_dir(self) -> bool:
        return False


class _Folder:
    """Be the iterator that `os.scandir` gives for a folder of many files."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __enter__(self):
        return (_Entry(number * 7919 % self.count) for number in range(self.count))

    def __exit__(self, *_):
        pass


def test_memory_does_not_grow_with_the_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "AT_ONCE", 500)
    peaks = []
    for count in (1_000, 6_000):
        monkeypatch.setattr(os, "scandir", lambda path, count=count: _Folder(count))
        tracemalloc.start()
        monkeypatch.setattr(tree, "_folders", lambda *_: iter(()))
        assert sum(1 for _ in images_below(str(tmp_path))) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
