"""What the page of some explanations shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from vitrail.report.pictures import Picture


@dataclass(frozen=True)
class Panel:
    """Hold one map over its image.

    Args:
        title: of the map.
        picture: the map over the image.
        low: what the lower end of the colours stands for; empty for the image itself.
        high: what the upper end stands for.
        signed: whether the colours have 0 in their middle.
        remark: what the numbers add up to; empty for nothing.
    """

    title: str
    picture: Picture
    low: str = ""
    high: str = ""
    signed: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Measured:
    """Hold how faithful one map is.

    Args:
        title: of the map.
        deletion: area under the deletion curve, 0 … 1.
        insertion: area under the insertion curve, 0 … 1.
        gain: insertion less deletion.
        beats_chance: whether the gain is larger than that of every random order.
        colour: of its curves.
    """

    title: str
    deletion: float
    insertion: float
    gain: float
    beats_chance: bool
    colour: str


@dataclass(frozen=True)
class Chance:
    """Hold what random orders do.

    Args:
        n: how many there were.
        deletion: mean area.
        insertion: mean area.
        bound: the largest gain, in size.
    """

    n: int
    deletion: float
    insertion: float
    bound: float


@dataclass(frozen=True)
class Trust:
    """Hold which map of an image to believe.

    Args:
        rows: one a map, the largest gain first.
        chance: beside them.
        believed: title of the map to believe; empty for none.
        figures: caption and SVG of each figure.
    """

    rows: tuple[Measured, ...]
    chance: Chance
    believed: str
    figures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Card:
    """Hold one image.

    Args:
        name: of the image.
        file: name of its picture in the folder.
        answers: classes with their probabilities, best first.
        truth: the true class; empty if it is not known.
        about: the class that was asked about; empty if none was.
        panels: the image, then the maps.
        trust: which map to believe; None if that was not measured.
    """

    name: str
    file: str
    answers: tuple[tuple[str, float], ...]
    truth: str
    about: str
    panels: tuple[Panel, ...]
    trust: Trust | None


@dataclass(frozen=True)
class Average:
    """Hold how faithful a map is over all images.

    Args:
        title: of the map.
        deletion: mean area.
        insertion: mean area.
        gain: mean.
        error: standard error of the mean gain; None for one image.
        beats_chance: of how many images the map beats chance.
    """

    title: str
    deletion: float
    insertion: float
    gain: float
    error: float | None
    beats_chance: int


@dataclass(frozen=True)
class ExplanationPage:
    """Hold what the page shows.

    Args:
        title: the model.
        n: images that were explained.
        reader: who looks, in words.
        cards: the first of them.
        shows: title and sentences of each method.
        averages: over all images, the largest gain first; empty if nothing was measured.
        finding: which map to believe over all images, in words; empty if nothing was measured.
        rule: how that was measured, in words.
        bad: name and reason of each image that could not be used.
    """

    title: str
    n: int
    reader: str
    cards: tuple[Card, ...]
    shows: tuple[tuple[str, str], ...]
    averages: tuple[Average, ...] = ()
    finding: str = ""
    rule: str = ""
    bad: tuple[tuple[str, str], ...] = ()
