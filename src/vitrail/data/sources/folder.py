"""A folder of class folders, with or without train, val and test above them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from vitrail.core.errors import DataError
from vitrail.data.dataset import Paths, Samples
from vitrail.data.decode import SUFFIXES, is_image_name
from vitrail.data.sources.listing import SPLIT_NAMES, SPLITS, UNSPLIT, Listing, canonical, plural, printable, quoted

LAYOUT = "expected FOLDER/CLASS/image.jpg, or FOLDER/train/CLASS/image.jpg beside val and test"
JUNK = frozenset(("__MACOSX", "@eaDir", "Thumbs.db", "ehthumbs.db", "desktop.ini"))
"""What operating systems leave behind; names that start with a dot are junk as well."""


@dataclass
class _Level:
    """Hold one folder's entries by kind, each list in order of its names."""

    folders: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


@dataclass
class _Found:
    """Collect the images of one split by class, and what was passed over."""

    classes: dict[str, list[str]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def read(root: str) -> Listing:
    """List the images of a folder; no image is opened.

    Args:
        root: folder of class folders, or of `train`, `val` (`valid`, `validation`) and `test` folders that hold them.
            Classes are told apart by their NFC-normalised names and ordered by code point; images are searched at any
            depth below a class folder. Hidden files and what operating systems leave behind do not exist.

    Returns:
        The splits that are given, or one unsplit set. Class folders without images are part of the vocabulary.

    Raises:
        DataError: if a split has no image or no class folder, or if a folder cannot be read.
    """
    level = _scan(root)
    split_folders = _split_folders(root, level.folders)
    notes = []
    if split_folders:
        splits = {split: _read_split(root, name) for split, name in split_folders.items()}
        passed_over = [name for name in level.folders if name not in split_folders.values()]
        if passed_over:
            notes.append(f"left out: {quoted(passed_over)} beside {', '.join(split_folders.values())}")
        stray, others = list(level.images), list(level.others)
    else:
        splits = {UNSPLIT: _read_split(root, "", level)}
        stray, others = [], []
    for found in splits.values():
        stray += found.stray
        others += found.others
    _refuse_empty(root, level, splits)
    if stray:
        example = printable(stray[0])
        notes.append(f"left out: {plural(len(stray), 'image')} outside of class folders, such as {example!r}")
    if others:
        notes.append(f"left out: {_describe(others)}, such as {printable(others[0])!r}")
    vocabulary = tuple(sorted({name for found in splits.values() for name in found.classes}))
    samples = {split: _samples(root, found, vocabulary) for split, found in splits.items()}
    return Listing(vocabulary, samples, notes=tuple(notes))


def _scan(folder: str) -> _Level:
    level = _Level()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in JUNK:
                    continue
                if entry.is_dir():
                    level.folders.append(entry.name)
                elif is_image_name(entry.name) and (entry.is_file() or entry.is_symlink()):
                    level.images.append(entry.name)
                else:
                    level.others.append(entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror or error}", hint="check its permissions") from error
    for names in (level.folders, level.images, level.others):
        names.sort(key=canonical)
    return level


def _split_folders(root: str, folders: list[str]) -> dict[str, str]:
    """Find the folders that are splits: split → folder's name; empty if all folders are classes.

    "test" may as well be the name of a class. It is one if it stands beside other classes and, unlike a split, has no
    folders inside.
    """
    named = [name for name in folders if name.lower() in SPLIT_NAMES]
    if len(named) < len(folders) and not any(_scan(os.path.join(root, name)).folders for name in named):
        return {}
    found: dict[str, str] = {}
    for name in named:
        split = SPLIT_NAMES[name.lower()]
        if split in found:
            raise DataError(
                f"{root} has two folders for split {split!r}: {found[split]!r} and {name!r}", hint="keep one of them"
            )
        found[split] = name
    return {split: found[split] for split in SPLITS if split in found}


def _read_split(root: str, prefix: str, level: _Level | None = None) -> _Found:
    """Collect the images below each class folder of one split, as paths relative to the root."""
    level = level or _scan(os.path.join(root, prefix))
    start = f"{prefix}/" if prefix else ""
    found = _Found(stray=[start + name for name in level.images], others=[start + name for name in level.others])
    spelt: dict[str, str] = {}
    for name in level.folders:
        label = printable(name)  # bytes that are no UTF-8 are spelt out
        if spelt.setdefault(label, canonical(name)) != canonical(name):
            raise DataError(f"{root} has two folders that are called {start + label!r}", hint="rename one of them")
        images = found.classes.setdefault(label, [])
        for below, inner in _walk(root, start + name):
            images += [f"{below}/{image}" for image in inner.images]
            found.others += [f"{below}/{other}" for other in inner.others]
    return found


def _walk(root: str, folder: str) -> Iterator[tuple[str, _Level]]:
    """Visit a folder and all below it; a link that leads back to a folder around it is not followed."""
    waiting: list[tuple[str, tuple[str, ...]]] = [(folder, (os.path.realpath(root),))]
    while waiting:
        below, around = waiting.pop()
        path = os.path.join(root, below)
        level = _scan(path)
        yield below, level
        around = (*around, os.path.realpath(path)) if level.folders else around
        for name in reversed(level.folders):
            inner = os.path.join(path, name)
            if not (os.path.islink(inner) and os.path.realpath(inner) in around):
                waiting.append((f"{below}/{name}", around))


def _refuse_empty(root: str, level: _Level, splits: dict[str, _Found]) -> None:
    for split, found in splits.items():
        if any(found.classes.values()):
            continue
        where = root if split == UNSPLIT else f"split {split!r} of {root}"
        if found.stray:
            tables = [name for name in level.others if name.lower().endswith((".csv", ".parquet"))]
            hint = f"{LAYOUT}; or give a table: {os.path.join(root, tables[0])}" if tables else LAYOUT
            raise DataError(f"{where} holds {plural(len(found.stray), 'image')} but no class folder with images", hint)
        raise DataError(
            f"{where} holds no image; found: {plural(len(found.classes), 'folder')} and {_describe(found.others)}",
            hint=f"{LAYOUT}; images end in {', '.join(sorted(SUFFIXES))}",
        )


def _describe(others: list[str]) -> str:
    """Count files that are no images by suffix, so that pictures in a format that is not read stand out."""
    suffixes = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in others)
    kinds = ", ".join(f"{suffix} {count:,}" for suffix, count in suffixes.most_common(4))
    return plural(len(others), "file that is no image", "files that are no images") + (f" ({kinds})" if others else "")


def _samples(root: str, found: _Found, vocabulary: tuple[str, ...]) -> Samples:
    paths: list[str] = []
    counts = []
    for label in vocabulary:
        images = sorted(found.classes.get(label, []), key=canonical)
        paths += images
        counts.append(len(images))
    labels = np.repeat(np.arange(len(vocabulary), dtype=np.int64), counts)
    return Samples(Paths(root, paths), labels, [printable(path) for path in paths])
