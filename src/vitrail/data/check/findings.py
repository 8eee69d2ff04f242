"""What can be wrong with a data set: a table of findings, each one function of what was seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from vitrail.core.table import Table
from vitrail.data.check.header import Header
from vitrail.data.check.survey import Group, Survey

IMBALANCE = 10
"""How many times more images the largest class may have than the smallest before it is worth a word."""
TINY_SIDE, TINY_PART = 8, 8
"""An image is tiny if its shorter side has fewer pixels than this, or than that part of the usual one."""
HUGE_PIXELS = 24_000_000
ELONGATED = 5
"""How many times longer than wide an image may be."""


@dataclass(frozen=True)
class Item:
    """Hold one occurrence of a finding.

    Args:
        images: indices of the images that it concerns; none if it concerns a class.
        detail: what is the matter with them, in half a sentence.
        exact: of several images: whether all have the same pixels.
    """

    images: tuple[int, ...] = ()
    detail: str = ""
    exact: bool = True


@dataclass(frozen=True)
class Finding:
    """Say what is looked for, and how it is found.

    Args:
        title: what was found, in a few words.
        advice: what it means and what to do about it, in one or two sentences.
        find: survey → occurrences.
        problem: whether it spoils a training or its figures; if not, it is worth knowing.
        quick: whether it can be found without decoding an image.
    """

    title: str
    advice: str
    find: Callable[[Survey], Iterator[Item]]
    problem: bool = True
    quick: bool = False


def _bad_files(survey: Survey) -> Iterator[Item]:
    for index, look in enumerate(survey.looks):
        if look.reason:
            yield Item((index,), look.reason)


def _splits_of(survey: Survey, group: Group) -> set[int]:
    return set(survey.catalogue.split_of[list(group.members)].tolist())


def _labels_of(survey: Survey, group: Group) -> set[int]:
    return set(survey.catalogue.labels[list(group.members)].tolist())


def _item(survey: Survey, group: Group, detail: str = "") -> Item:
    kind = "the same picture" if group.exact else f"near duplicates, likeness {group.likeness:.2f}"
    return Item(group.members, f"{kind}{detail}", group.exact)


def _duplicates(survey: Survey) -> Iterator[Item]:
    for group in survey.groups:
        yield _item(survey, group)


def _leaks(survey: Survey) -> Iterator[Item]:
    for group in survey.groups:
        found = _splits_of(survey, group)
        if len(found) > 1:
            yield _item(survey, group, f", in {_listed(survey.catalogue.splits[one] for one in sorted(found))}")


def _label_conflicts(survey: Survey) -> Iterator[Item]:
    for group in survey.groups:
        found = _labels_of(survey, group)
        if len(found) > 1:
            yield _item(survey, group, f", labelled {_listed(survey.catalogue.classes[one] for one in sorted(found))}")


def _listed(names: Iterator[str]) -> str:
    return " and ".join(names)


def _empty_classes(survey: Survey) -> Iterator[Item]:
    counts = np.bincount(survey.catalogue.labels, minlength=len(survey.catalogue.classes))
    for code in np.flatnonzero(counts == 0).tolist():
        yield Item((), f"class {survey.catalogue.classes[code]!r} has no image")


def _single_classes(survey: Survey) -> Iterator[Item]:
    counts = np.bincount(survey.catalogue.labels, minlength=len(survey.catalogue.classes))
    for code in np.flatnonzero(counts == 1).tolist():
        index = int(np.flatnonzero(survey.catalogue.labels == code)[0])
        yield Item((index,), f"class {survey.catalogue.classes[code]!r} has one image")


def _imbalance(survey: Survey) -> Iterator[Item]:
    counts = np.bincount(survey.catalogue.labels, minlength=len(survey.catalogue.classes))
    there = np.flatnonzero(counts)
    if len(there) and counts.max() > IMBALANCE * counts[there].min():
        most, least = int(counts.argmax()), int(there[counts[there].argmin()])
        names = survey.catalogue.classes
        yield Item((), f"{counts[most]:,} images of {names[most]!r}, {counts[least]:,} of {names[least]!r}")


def _headers(survey: Survey) -> Iterator[tuple[int, Header]]:
    for index, look in enumerate(survey.looks):
        if look.header is not None:
            yield index, look.header


def _wrong_suffixes(survey: Survey) -> Iterator[Item]:
    for index, header in _headers(survey):
        if header.is_misnamed:
            yield Item((index,), f"is {header.format}, named {header.suffix or 'without an ending'}")


def _rotated(survey: Survey) -> Iterator[Item]:
    for index, header in _headers(survey):
        if header.turned:
            yield Item((index,), "is stored lying or mirrored, with a note (EXIF) that says how to turn it")


def _odd_modes(survey: Survey) -> Iterator[Item]:
    for index, header in _headers(survey):
        if not header.is_plain:
            yield Item((index,), f"holds {header.mode}")


def _sizes(survey: Survey) -> Iterator[tuple[int, int, int]]:
    for index, look in enumerate(survey.looks):
        if not look.reason:
            yield index, *look.size


def _tiny(survey: Survey) -> Iterator[Item]:
    usual = np.median([min(height, width) for _, height, width in _sizes(survey)] or [0])
    for index, height, width in _sizes(survey):
        if min(height, width) < max(TINY_SIDE, usual / TINY_PART):
            yield Item((index,), f"{height} × {width} pixels; the usual shorter side has {usual:.0f}")


def _huge(survey: Survey) -> Iterator[Item]:
    for index, height, width in _sizes(survey):
        if height * width > HUGE_PIXELS:
            yield Item((index,), f"{height:,} × {width:,} pixels")


def _elongated(survey: Survey) -> Iterator[Item]:
    for index, height, width in _sizes(survey):
        if max(height, width) > ELONGATED * min(height, width):
            yield Item((index,), f"{height:,} × {width:,} pixels")


def _blank(survey: Survey) -> Iterator[Item]:
    for index, look in enumerate(survey.looks):
        if look.thumbnail is not None and look.thumbnail.max() - look.thumbnail.min() <= 1:
            yield Item((index,), "has one colour all over")


FINDINGS: Table[Finding] = Table(
    "finding",
    {
        "bad_files": Finding(
            "Files that cannot be used",
            "Training leaves them out and names them. Mend or remove them.",
            _bad_files,
        ),
        "leaks": Finding(
            "One picture in two splits",
            "What was learned by heart counts as knowledge: accuracy on these images is too good. Keep one copy.",
            _leaks,
            quick=True,
        ),
        "label_conflicts": Finding(
            "One picture under two labels",
            "One of the labels is wrong, or the classes overlap. Look at them and decide.",
            _label_conflicts,
            quick=True,
        ),
        "duplicates": Finding(
            "Pictures that occur more than once",
            "They weigh more than others in training and in every figure. Keep one of each.",
            _duplicates,
            quick=True,
        ),
        "empty_classes": Finding(
            "Classes without images",
            "A class cannot be learned from nothing: add images, or remove its folder.",
            _empty_classes,
            quick=True,
        ),
        "single_classes": Finding(
            "Classes with one image",
            "It can be learned from or tested on, not both. Add images, or remove the class.",
            _single_classes,
            quick=True,
        ),
        "blank": Finding(
            "Images of one colour",
            "There is nothing to learn from them but their label. Often a scan or download that failed.",
            _blank,
        ),
        "imbalance": Finding(
            "Classes of very different size",
            "Accuracy says little about small classes: look at balanced accuracy and at the figures of each class.",
            _imbalance,
            problem=False,
            quick=True,
        ),
        "tiny": Finding(
            "Tiny images",
            "They are enlarged for the model and may show nothing; thumbnails or icons, often.",
            _tiny,
            problem=False,
        ),
        "huge": Finding(
            "Huge images",
            "Decoding them is slow, and the model sees them much smaller. Training is faster on smaller copies.",
            _huge,
            problem=False,
        ),
        "elongated": Finding(
            "Very long images",
            "The model sees their middle only, unless it takes whole images (mode=keep, dynamic=true).",
            _elongated,
            problem=False,
        ),
        "wrong_suffixes": Finding(
            "Names that end like another format",
            "They are read by content and do no harm here; other programs may stumble over them.",
            _wrong_suffixes,
            problem=False,
        ),
        "rotated": Finding(
            "Images that are turned by their EXIF data",
            "They are shown upright to the model here; other programs may show them lying.",
            _rotated,
            problem=False,
        ),
        "odd_modes": Finding(
            "Images that are neither plain grey nor plain colour",
            "They are brought to 8 bits, on white, in sRGB (docs/guide/data.md says how). Check that they look right.",
            _odd_modes,
            problem=False,
        ),
    },
)
"""Key in `check --json` → what it is; in the order in which they are shown."""


def find_all(survey: Survey, quick: bool = False) -> dict[str, tuple[Item, ...]]:
    """Look for everything in the table.

    Args:
        survey: what was seen.
        quick: only for what is found without decoding an image.

    Returns:
        Name of each finding → its occurrences, none of them for most.
    """
    return {name: tuple(one.find(survey)) for name, one in FINDINGS.items() if one.quick or not quick}


def concerned(items: tuple[Item, ...]) -> int:
    """Count the images that occurrences concern.

    Args:
        items: of one finding.

    Returns:
        How many different images.
    """
    return len(set(chain.from_iterable(item.images for item in items)))
