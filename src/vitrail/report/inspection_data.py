"""What the page of an inspection shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from vitrail.report.attention_sheets import Sheet
from vitrail.report.drawing import Drawing
from vitrail.report.pictures import Picture


@dataclass(frozen=True)
class Panel:
    """Hold one figure of the page.

    Args:
        name: of its files, without suffix.
        title: a few words.
        text: sentences that say how to read it, and what it shows here.
        drawing: the figure.
        wide: whether it stands in a row of its own.
    """

    name: str
    title: str
    text: str
    drawing: Drawing
    wide: bool = False


@dataclass(frozen=True)
class Attended:
    """Hold the attention in one image.

    Args:
        name: of the image.
        picture: what the model saw of it.
        grid: rows and columns of the maps.
        step: patches along the side of what the maps call a patch.
        sheets: one a block that is shown.
    """

    name: str
    picture: Picture
    grid: tuple[int, int]
    step: int
    sheets: tuple[Sheet, ...]

    @property
    def size(self) -> int:
        """Bytes that it takes on the page, roughly."""
        binary = len(self.picture.content) + sum(len(one.png) + len(one.shares) for one in self.sheets)
        return -(-binary * 4 // 3)


@dataclass(frozen=True)
class InspectionData:
    """Hold everything that the page shows.

    Args:
        title: name of the model.
        verdict: what came out, in a few words; "" if no image was looked at.
        sentences: what came out, each a whole sentence.
        figures: name → value, the facts at the top.
        panels: the figures, in order.
        attended: images with their attention.
        layers: numbers of the blocks that are shown, from 0.
        heads: numbers of the heads that are shown, from 0.
        prefix: names of the tokens before the patches.
        notes: what was left out or could not be used.
    """

    title: str
    verdict: str
    sentences: tuple[str, ...]
    figures: dict[str, str]
    panels: tuple[Panel, ...]
    attended: tuple[Attended, ...]
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    prefix: tuple[str, ...]
    notes: tuple[str, ...]
