"""What the page of a study shows, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["share", "number"]


@dataclass(frozen=True)
class Dot:
    """Hold one row of a dot plot.

    Args:
        label: what it is.
        values: one number for each run.
        mean: their mean.
        interval: of the mean; equal to it where it is not known.
        group: rows of one group have one colour; 0, 1, 2.
    """

    label: str
    values: Sequence[float]
    mean: float
    interval: tuple[float, float]
    group: int = 0


@dataclass(frozen=True)
class Dots:
    """Hold a dot plot: one row for each cell.

    Args:
        title: what is shown, with its unit.
        rows: from top to bottom.
        unit: "share" is shown in per cent.
        line: a value to mark, such as chance; None for none.
    """

    title: str
    rows: Sequence[Dot]
    unit: Unit = "share"
    line: float | None = None


@dataclass(frozen=True)
class Curve:
    """Hold one curve.

    Args:
        label: what it is.
        x: places, rising.
        mean: a number for each place.
        interval: of each mean; equal to it where it is not known.
        group: 0, 1, 2 …: the colour.
    """

    label: str
    x: Sequence[float]
    mean: Sequence[float]
    interval: Sequence[tuple[float, float]]
    group: int = 0


@dataclass(frozen=True)
class Curves:
    """Hold curves over one axis.

    Args:
        title: what is shown.
        x_label: with unit.
        curves: one or more.
        unit: of the values: "share" is shown in per cent.
        log_x: whether the axis is logarithmic.
        log_y: whether the values' axis is.
    """

    title: str
    x_label: str
    curves: Sequence[Curve]
    unit: Unit = "share"
    log_x: bool = True
    log_y: bool = False


Panel = Dots | Curves


@dataclass(frozen=True)
class Compared:
    """Hold one comparison behind a verdict, in words.

    Args:
        name: what is compared.
        n: seeds or runs.
        value: the mean.
        interval: its bounds.
        p: the corrected p-value; "" where no chance is tested.
    """

    name: str
    n: int
    value: str
    interval: str
    p: str


@dataclass(frozen=True)
class Judged:
    """Hold one claim and what became of it.

    Args:
        sentence: the claim.
        by: "paper" or "theory".
        verdict: in words.
        test: how it was decided.
        reason: why, where the numbers do not say it.
        compared: the numbers.
    """

    sentence: str
    by: str
    verdict: str
    test: str
    reason: str = ""
    compared: Sequence[Compared] = ()

    @property
    def mark(self) -> str:
        """The verdict as the name of a style."""
        return {"reproduced": "yes", "not reproduced": "no"}.get(self.verdict, "open")


@dataclass(frozen=True)
class StudyData:
    """Hold the page.

    Args:
        name: of the study.
        title: what it is about.
        question: one sentence.
        about: what was done, in a few sentences.
        judged: the claims.
        panels: the figure.
        table: the head of the table, then its rows.
        found: where the paper answers, and how.
        facts: name → value: steps, seeds and so on.
        notes: what was left out, and other things to know.
        command: what makes it again.
    """

    name: str
    title: str
    question: str
    about: str
    judged: Sequence[Judged]
    panels: Sequence[Panel]
    table: Sequence[Sequence[str]]
    found: tuple[str, str]
    facts: Sequence[tuple[str, str]]
    notes: Sequence[str] = field(default=())
    command: str = ""

    def count(self, mark: str) -> int:
        """Count claims.

        Args:
            mark: "yes", "no" or "open".

        Returns:
            How many have it.
        """
        return sum(one.mark == mark for one in self.judged)


@dataclass(frozen=True)
class Book:
    """Hold the page that leads to all studies.

    Args:
        studies: pages, and where they are from the book: a relative path.
        missing: name → why a study has no page.
        seconds: time of all runs added up, those of earlier sessions included.
    """

    studies: Sequence[tuple[StudyData, str]]
    missing: Sequence[tuple[str, str]] = ()
    seconds: float = 0.0

    def count(self, mark: str) -> int:
        """Count the claims of all studies.

        Args:
            mark: "yes", "no" or "open".

        Returns:
            How many have it.
        """
        return sum(data.count(mark) for data, _ in self.studies)
