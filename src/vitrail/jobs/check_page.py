"""The page of a data check, with the pictures that it speaks of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.core.errors import ImageError
from vitrail.data.check.findings import FINDINGS, Finding, Item
from vitrail.data.dataset import Samples
from vitrail.data.decode import ImageLike, decode
from vitrail.data.picture import picture
from vitrail.data.sources.listing import UNSPLIT
from vitrail.jobs.thumbnail import encode
from vitrail.report.check_data import Card, CheckData, Section, Shown
from vitrail.report.check_page import render_check
from vitrail.report.pictures import Picture

if TYPE_CHECKING:
    from vitrail.jobs.check import Check

MAX_CARDS = 24
"""Occurrences of a finding that are shown."""
MAX_IMAGES = 6
"""Images of an occurrence that are shown."""
SIDE = 144
"""Pictures are at most this many pixels wide and high."""
SUSPECTS_TITLE = "Labels that are likely wrong"
SUSPECTS_ADVICE = (
    "The model's features put these images among those of another class, the likeliest first. Look at each: a label is "
    "not wrong because it is doubted."
)


class CheckPage:
    """Gather what the page shows.

    Args:
        result: of the check.
        splits: name → samples, in the order of the catalogue.
        notes: what was noticed while listing the files.
    """

    def __init__(self, result: Check, splits: dict[str, Samples], notes: tuple[str, ...] = ()) -> None:
        self.result, self.notes = result, notes
        self.images: list[ImageLike] = [part.image(number) for part in splits.values() for number in range(len(part))]
        self._drawn: dict[int, Picture | None] = {}

    def render(self) -> str:
        """Make the page.

        Returns:
            A whole HTML document.
        """
        result, catalogue = self.result, self.result.catalogue
        splits = {} if catalogue.splits == (UNSPLIT,) else result.split_sizes()
        sections = [self._section(name, FINDINGS[name], items) for name, items in result.findings.items() if items]
        clear = tuple(FINDINGS[name].title for name, items in result.findings.items() if not items)
        if result.suspects:
            sections.append(self._suspects())
        sections.sort(key=lambda section: not section.problem)
        return render_check(
            CheckData(
                Path(result.reference).name or result.reference,
                len(catalogue),
                len(catalogue.classes),
                splits,
                result.kept,
                result.seconds,
                tuple(sections),
                clear,
                self.notes,
            )
        )

    def _section(self, name: str, finding: Finding, items: tuple[Item, ...]) -> Section:
        cards = tuple(
            Card(tuple(self._shown(item.images[:MAX_IMAGES])), item.detail, max(0, len(item.images) - MAX_IMAGES))
            for item in items[:MAX_CARDS]
        )
        return Section(name, finding.title, finding.advice, finding.problem, len(items), cards)

    def _suspects(self) -> Section:
        found = self.result.suspects or ()
        cards = tuple(
            Card(tuple(self._shown((one.index,))), f"looks like {one.suggested}") for one in found[:MAX_CARDS]
        )
        return Section("label_errors", SUSPECTS_TITLE, SUSPECTS_ADVICE, False, len(found), cards)

    def _shown(self, indices: tuple[int, ...]) -> Iterator[Shown]:
        catalogue = self.result.catalogue
        for index in indices:
            split = catalogue.split(index)
            yield Shown(
                catalogue.names[index],
                catalogue.label(index),
                "" if split == UNSPLIT else split,
                self._picture(index),
            )

    def _picture(self, index: int) -> Picture | None:
        if index not in self._drawn:
            try:
                self._drawn[index] = encode(picture(decode(self.images[index])), SIDE)
            except ImageError:
                self._drawn[index] = None
        return self._drawn[index]
