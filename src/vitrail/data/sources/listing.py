"""What a source finds, before it is settled what the classes are and which samples are set aside."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from vitrail.data.dataset import Samples, Traits

SPLITS = ("train", "val", "test")

UNSPLIT = "all"
"""Name of the only split of a source that gives none."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What people call splits, in lower case."""


@dataclass(frozen=True)
class Listing:
    """Hold what a source found.

    Args:
        vocabulary: every label name, NFC-normalised, in the order that classes shall have; class folders without
            images included.
        splits: "train", "val", "test", or only `UNSPLIT` → samples, whose labels index the vocabulary.
        traits: what is known about the images.
        notes: what was left out or decided while reading, each a sentence.
    """

    vocabulary: tuple[str, ...]
    splits: dict[str, Samples]
    traits: Traits = Traits()
    notes: tuple[str, ...] = ()


def canonical(name: str) -> str:
    """Give the one spelling under which a name is compared.

    Args:
        name: as a file system or table spells it: "é" may be one code point or two.

    Returns:
        The name in Unicode's composed form (NFC).
    """
    return unicodedata.normalize("NFC", name)


def printable(path: str) -> str:
    """Give the form of a file's path that goes into reports and hashes.

    Args:
        path: as the operating system gives it; bytes that are no UTF-8 come as lone surrogates.

    Returns:
        Canonical text that can be encoded; such bytes are spelt out in hexadecimal.
    """
    if not path.isascii():
        path = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return canonical(path)


def quoted(names: Iterable[str], limit: int = 5) -> str:
    """Write names in a message without letting it grow beyond reason.

    Args:
        names: what to list.
        limit: how many to write out.

    Returns:
        "'a', 'b' and 7 more".
    """
    names = list(names)
    text = ", ".join(repr(name) for name in names[:limit])
    return f"{text} and {len(names) - limit} more" if len(names) > limit else text


def plural(count: int, one: str, many: str = "") -> str:
    """Write a count with its noun.

    Args:
        count: how many.
        one: the noun for 1.
        many: the noun for other counts; `one` with an "s" if empty.

    Returns:
        "1 class", "2,000 classes".
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"
