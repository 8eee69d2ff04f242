"""The page of some explanations, gathered image by image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from vitrail.analysis.faithfulness import Faithfulness
from vitrail.analysis.methods import METHODS
from vitrail.jobs.explanation import Explanation, NamedMap
from vitrail.jobs.inquiry import Inquiry
from vitrail.jobs.thumbnail import encode
from vitrail.report.curves import Curve, colour_of, draw_curves
from vitrail.report.explanation_data import Average, Card, Chance, ExplanationPage, Measured, Panel, Trust
from vitrail.report.explanation_page import render_explanations
from vitrail.report.overlay import coloured, fitted, overlay

if TYPE_CHECKING:
    from vitrail.report.explanation import Look

MAX_CARDS = 200
"""Images that the page shows: of photographs, about 20 MB."""
MAX_BAD = 50
SIDE = 320
"""Pixels of the longer side of a map."""
SEPARATED = 0.05


class ExplanationGathering:
    """Gather what the page shows.

    Args:
        title: what to call the model.
        inquiry: what was asked, settled.
    """

    def __init__(self, title: str, inquiry: Inquiry) -> None:
        self.title, self.inquiry = title, inquiry
        self.cards: list[Card] = []
        self.measured: list[Faithfulness] = []
        self.titles: dict[str, str] = {}
        self.bad: list[tuple[str, str]] = []
        self.n, self.reader = 0, ""

    def add(self, name: str, file: str, explanation: Explanation, look: Look) -> None:
        """Add an image.

        Args:
            name: of the image.
            file: name of its picture.
            explanation: what the model looks at in it.
            look: what its picture shows.
        """
        self.n, self.reader = self.n + 1, explanation.query
        self.titles |= {key: one.title for key, one in explanation.maps.items()}
        if explanation.faithfulness is not None:
            self.measured.append(explanation.faithfulness)
        if len(self.cards) >= MAX_CARDS:
            return
        plain = Panel("image", encode(fitted(look.image, SIDE), SIDE))
        panels = tuple(_panel(look, one) for one in explanation.maps.values())
        asked = explanation.target if explanation.target not in (None, explanation.prediction.label) else None
        trust = None if explanation.faithfulness is None else _trust(explanation.faithfulness, explanation.maps)
        answers = explanation.prediction.top
        self.cards.append(Card(name, file, answers, look.truth or "", asked or "", (plain, *panels), trust))

    def fail(self, name: str, reason: str) -> None:
        """Add an image that could not be used.

        Args:
            name: of the image.
            reason: why.
        """
        if len(self.bad) < MAX_BAD:
            self.bad.append((name, reason))

    def render(self) -> str:
        """Make the page.

        Returns:
            A whole HTML document.
        """
        rows = [METHODS[name] for name in self.inquiry.methods]
        averages = average(self.measured, self.titles)
        return render_explanations(
            ExplanationPage(
                title=self.title,
                n=self.n,
                reader=self.reader or "the tokens that the head reads",
                cards=tuple(self.cards),
                shows=tuple((row.title, row.shows) for row in rows),
                averages=tuple(averages),
                finding=find(self.measured, self.titles),
                rule=_rule(self.measured[0], self.inquiry.fill) if self.measured else "",
                bad=tuple(self.bad),
            )
        )


def average(measured: Sequence[Faithfulness], titles: dict[str, str]) -> list[Average]:
    """Average over images how faithful each map is.

    Args:
        measured: one an image, all of the same maps.
        titles: of the maps, by name.

    Returns:
        One row a map, the largest mean gain first.
    """
    rows = []
    for name in measured[0].curves if measured else ():
        curves = [one.curves[name] for one in measured]
        gains = np.array([one.gain for one in curves])
        error = float(gains.std(ddof=1) / math.sqrt(len(gains))) if len(gains) > 1 else None
        deletion = float(np.mean([one.deleted for one in curves]))
        insertion = float(np.mean([one.inserted for one in curves]))
        beats = sum(one.beats_chance(name) for one in measured)
        rows.append(Average(titles[name], deletion, insertion, float(gains.mean()), error, beats))
    return sorted(rows, key=lambda row: -row.gain)


def find(measured: Sequence[Faithfulness], titles: dict[str, str]) -> str:
    """Say which map to believe over all images.

    Args:
        measured: one an image, all of the same maps.
        titles: of the maps, by name.

    Returns:
        Sentences; empty if nothing was measured. The two best are separated by a sign test over images.
    """
    if not measured:
        return ""
    gains = {name: np.array([one.curves[name].gain for one in measured]) for name in measured[0].curves}
    best, *others = sorted(gains, key=lambda name: -gains[name].mean())
    n, beats = len(measured), sum(one.beats_chance(best) for one in measured)
    if not beats:
        where = "on this image" if n == 1 else f"on any of the {n} images"
        return f"None: the map that gains most, {titles[best]}, does no better than random orders {where}."
    title = titles[best][:1].upper() + titles[best][1:]
    if n == 1:
        return f"{title}: it gains most, and more than every random order. One image says little about others."
    said = f"{title} gains most on average, and more than every random order on {beats} of {n} images."
    if not others:
        return said
    wins, losses = int((gains[best] > gains[others[0]]).sum()), int((gains[best] < gains[others[0]]).sum())
    risk = sign_test(wins, losses)
    compared = f" It gains more than {titles[others[0]]} on {wins} of {n} images"
    verdict = f" (sign test, p = {risk:.2g})." if risk < SEPARATED else f": not separated (sign test, p = {risk:.2g})."
    return said + compared + verdict


def sign_test(wins: int, losses: int) -> float:
    """Say how likely so uneven a count is if either outcome is as likely.

    Args:
        wins: images on which one is better; draws do not count.
        losses: images on which the other is better.

    Returns:
        Two-sided probability, by the binomial distribution.
    """
    n, most = wins + losses, max(wins, losses)
    return min(1.0, 2 * sum(math.comb(n, k) for k in range(most, n + 1)) / 2**n)


def _panel(look: Look, one: NamedMap) -> Panel:
    scale = coloured(one.values, one.signed)
    picture = encode(overlay(look.image, look.box, one.values, one.signed, SIDE), SIDE)
    return Panel(one.title, picture, scale.low, scale.high, one.signed, one.remark)


def _trust(measured: Faithfulness, maps: Mapping[str, NamedMap]) -> Trust:
    """Gather table and curves of one image: colours in the order of the maps, rows in that of their gain."""
    chance, colours = measured.chance, {name: colour_of(number) for number, name in enumerate(measured.curves)}
    rows = [
        Measured(maps[name].title, one.deleted, one.inserted, one.gain, measured.beats_chance(name), colours[name])
        for name, one in measured.curves.items()
    ]
    figures = []
    for caption, way, label in (
        ("Deletion: lower is better", "deletion", "patches taken away"),
        ("Insertion: higher is better", "insertion", "patches put in"),
    ):
        curves = [Curve(getattr(one, way), colours[name]) for name, one in measured.curves.items()]
        drawn = draw_curves(chance[0].fractions, curves, [getattr(one, way) for one in chance], label)
        figures.append((caption, drawn))
    deletion, insertion = (float(np.mean([getattr(one, area) for one in chance])) for area in ("deleted", "inserted"))
    believed = "" if measured.believed is None else maps[measured.believed].title
    beside = Chance(len(chance), deletion, insertion, measured.bound)
    return Trust(tuple(sorted(rows, key=lambda row: -row.gain)), beside, believed, tuple(figures))


def _rule(measured: Faithfulness, fill: str) -> str:
    return (
        "Patches are taken from the image (deletion), and put into an empty one (insertion), in the order of the map, "
        f"the largest numbers first; what is not there is filled by {fill}. The areas are those under the probability "
        "of the class; the gain is insertion less deletion. A map is believed on an image if it gains more than each "
        f"of {len(measured.chance)} random orders and each of these reversed: if all maps were random orders, one "
        f"would be believed on {100 * measured.risk:.2g} % of the images at most. After Petsiuk et al. 2018 (RISE), by "
        "patches."
    )
