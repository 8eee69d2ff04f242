"""Files below a folder, in order, found one after another: a million take no more memory than some thousands."""

from __future__ import annotations

import fnmatch
import heapq
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

from vitrail.core.errors import DataError
from vitrail.data.decode import is_image_name
from vitrail.data.sources.folder import JUNK

AT_ONCE = 50_000
"""Names of one folder in memory at a time, about 10 MB; a folder of more is read once for each so many."""

Step = Callable[[Any, str], "tuple[bool, Any]"]
"""(state in a folder, name in it) → whether to take such a file, state below such a folder (None: stay out of it)."""


def images_below(folder: str) -> Iterator[str]:
    """Find all images below a folder; hidden files and what operating systems leave behind do not exist.

    Args:
        folder: where to search.

    Yields:
        Paths, those in a folder before those below it, each by name. A folder that cannot be read stands in its place.

    Raises:
        DataError: if `folder` itself cannot be read.
    """

    def step(_: Any, name: str) -> tuple[bool, Any]:
        junk = name.startswith(".") or name in JUNK
        return not junk and is_image_name(name), None if junk else ()

    return _walk(folder, (), step)


def files_matching(pattern: str) -> Iterator[str]:
    """Find all files that fit a pattern.

    Args:
        pattern: `*`, `?` and `[…]` stand for parts of a name, but not for a dot at its beginning; `**` stands for any
            number of folders.

    Yields:
        Paths, in the order of `images_below`, each once.

    Raises:
        DataError: if the folder before the first such sign cannot be read.
    """
    parts = pattern.replace(os.altsep or os.sep, os.sep).split(os.sep)
    first = next(number for number, part in enumerate(parts) if re.search(r"[*?[]", part))
    root = os.sep.join(parts[:first]) or (os.sep if first else "")
    wanted = [part for part in parts[first:-1] if part] + parts[-1:]
    fits = [None if part == "**" else re.compile(fnmatch.translate(part)).match for part in wanted]

    def reached(places: set[int]) -> frozenset[int]:
        """Add the places after each `**`, since it may stand for nothing."""
        for place in sorted(places):
            while place < len(fits) and fits[place] is None:
                place += 1
                places.add(place)
        return frozenset(places)

    def step(places: frozenset[int], name: str) -> tuple[bool, frozenset[int] | None]:
        after = set()
        for place in places - {len(fits)}:
            fit = fits[place]
            if name.startswith(".") and not wanted[place].startswith("."):
                continue
            if fit is None:
                after.add(place)
            elif fit(name):
                after.add(place + 1)
        below = reached(after)
        return len(fits) in below, below if below - {len(fits)} else None

    return _walk(root, reached({0}), step)


def _walk(root: str, state: Any, step: Step) -> Iterator[str]:
    """Visit a folder and those below it; one that leads back to a folder around it is not entered again."""
    levels: list[Iterator[tuple[str, Any]]] = [iter([(root, state)])]
    around: list[tuple[int, int]] = []
    while levels:
        folder, state = next(levels[-1], (None, None))
        if folder is None:
            levels.pop()
            around = around[: len(levels) - 1] if levels else []
            continue
        try:
            found = os.stat(folder or os.curdir)
            if (found.st_dev, found.st_ino) in around:
                continue
            yield from _files(folder, state, step)
        except OSError as error:
            if len(levels) == 1:
                reason = error.strerror or error
                raise DataError(f"{root} cannot be read: {reason}", hint="check the path and its permissions") from None
            yield folder
            continue
        around.append((found.st_dev, found.st_ino))
        levels.append(_folders(folder, state, step))


def _files(folder: str, state: Any, step: Step) -> Iterator[str]:
    for name in _names(folder, lambda entry: step(state, entry.name)[0] and not entry.is_dir()):
        yield os.path.join(folder, name)


def _folders(folder: str, state: Any, step: Step) -> Iterator[tuple[str, Any]]:
    for name in _names(folder, lambda entry: step(state, entry.name)[1] is not None and entry.is_dir()):
        yield os.path.join(folder, name), step(state, name)[1]


def _names(folder: str, wanted: Callable[[os.DirEntry[str]], bool]) -> Iterator[str]:
    last = ""
    while True:
        with os.scandir(folder or os.curdir) as entries:
            later = (entry.name for entry in entries if entry.name > last and wanted(entry))
            names = heapq.nsmallest(AT_ONCE, later)
        yield from names
        if len(names) < AT_ONCE:
            return
        last = names[-1]
