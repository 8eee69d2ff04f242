"""What the page of a data check is made from: plain, frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vitrail.report.pictures import Picture


@dataclass(frozen=True)
class Shown:
    """Hold one image of a card.

    Args:
        name: of the image.
        label: its class.
        split: where it belongs; empty if there are no splits.
        picture: the image; None if it cannot be shown.
    """

    name: str
    label: str
    split: str
    picture: Picture | None


@dataclass(frozen=True)
class Card:
    """Hold one occurrence of a finding.

    Args:
        images: the first of those that it concerns.
        detail: what is the matter.
        more: how many images it concerns beyond those shown.
    """

    images: tuple[Shown, ...]
    detail: str
    more: int = 0


@dataclass(frozen=True)
class Section:
    """Hold a finding.

    Args:
        key: short name, for links.
        title: what was found.
        advice: what it means and what to do.
        problem: whether it spoils a training or its figures.
        count: occurrences.
        cards: the first of them.
    """

    key: str
    title: str
    advice: str
    problem: bool
    count: int
    cards: tuple[Card, ...]


@dataclass(frozen=True)
class CheckData:
    """Hold everything that the page shows, in the order of the page.

    Args:
        title: what the data are called.
        n: images.
        classes: how many classes.
        splits: name → images; empty if none are given.
        keep: images worth keeping.
        seconds: time that the check took.
        sections: what was found; findings without an occurrence are left out.
        clear: titles of what was looked for and not found.
        notes: what was noticed while listing the files.
    """

    title: str
    n: int
    classes: int
    splits: Mapping[str, int]
    keep: int
    seconds: float
    sections: tuple[Section, ...]
    clear: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def problems(self) -> int:
        """How many kinds of problem there are."""
        return sum(section.problem for section in self.sections)
