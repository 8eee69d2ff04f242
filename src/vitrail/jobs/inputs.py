"""What the user named (files, folders, patterns, lists), checked at once, and found one file after another."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from vitrail.core.errors import DataError
from vitrail.data.path_list import is_path_list, read_lines, read_path_list
from vitrail.data.tree import files_matching, images_below

STANDARD_INPUT = "-"
PATTERNS = "* ? [...] stand for parts of a name, ** for any number of folders"


@dataclass(frozen=True)
class Inputs:
    """Hold where images come from; iterating gives their paths, and memory does not grow with their number.

    Args:
        names: what was named.
        sources: what gives the paths of each name, anew each time it is called; those of standard input only once.
    """

    names: tuple[str, ...]
    sources: tuple[Callable[[], Iterator[str]], ...]

    @classmethod
    def named(cls, names: Iterable[str]) -> Inputs:
        """Check what was named; each must stand for one image at least.

        Args:
            names: files; folders, for all images below them; glob patterns; lists of paths (`.csv`, `.parquet`,
                `.txt`); "-" for lines of standard input.

        Returns:
            Where the images are. Whether each is a whole image is not looked at.

        Raises:
            DataError: if one is missing, stands for no image, or is a list that cannot be used.
        """
        names = tuple(names)
        if names.count(STANDARD_INPUT) > 1:
            raise DataError("standard input (-) is named twice", hint="name it once")
        return cls(names, tuple(_source(name) for name in names))

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(source() for source in self.sources)

    def refuse(self, out: Path) -> None:
        """Make sure that none of the inputs is the file that is to be written, whatever it is called there.

        Args:
            out: the file.

        Raises:
            DataError: if it is a list that was named, or one of the images. Those of standard input are not known yet.
        """
        if out.exists():
            known = [source for name, source in zip(self.names, self.sources, strict=True) if name != STANDARD_INPUT]
            for _ in apart_from(out, chain(self.names, chain.from_iterable(source() for source in known))):
                pass


def apart_from(out: Path, paths: Iterable[str]) -> Iterator[str]:
    """Give paths, none of which may be the file that is to be written.

    Args:
        out: the file.
        paths: paths.

    Yields:
        The same paths.

    Raises:
        DataError: at the first that is this file, whatever it is called there.
    """
    for path in paths:
        if _is_same(path, out):
            raise DataError(f"--out {out} is one of the inputs", hint="give another name")
        yield path


def _is_same(path: str, out: Path) -> bool:
    try:
        return os.path.samefile(path, out)
    except (OSError, ValueError):
        return False


def _source(name: str) -> Callable[[], Iterator[str]]:
    """Find out what one name stands for, and look for its first image."""
    if name == STANDARD_INPUT:
        lines = read_lines(sys.stdin.buffer)
        first = _first(lines, "standard input (-) names no path", "give one path a line")
        rest = chain([first], lines)
        return lambda: rest
    if os.path.isdir(name):
        hint = "images end in .jpg, .png, .webp, .bmp, .gif, .tif …"
        _first(images_below(name), f"{name}: no image in this folder", hint)
        return lambda: images_below(name)
    if os.path.exists(name):
        if not is_path_list(name):
            return lambda: iter((name,))
        if not sum(1 for _ in read_path_list(name)):  # every row is checked before any work
            raise DataError(f"{name} names no path", hint="one row an image")
        return lambda: read_path_list(name)
    if glob.has_magic(name):
        _first(files_matching(name), f"{name}: no file fits this pattern", PATTERNS)
        return lambda: files_matching(name)
    raise DataError(
        f"{name}: no such file or folder", hint="give images, folders of images, glob patterns, or a list of paths"
    )


def _first(paths: Iterator[str], message: str, hint: str) -> str:
    for path in paths:
        return path
    raise DataError(message, hint)
