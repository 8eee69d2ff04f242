"""The picture of what a model looks at: the image, and maps over it. Plain data in, one PNG out."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.patches import Rectangle
from PIL import Image

from vitrail.core.files import as_text
from vitrail.report.overlay import FAINT, MAX_ASPECT, OPACITY, TINY, VEIL, Box, coloured, shrunk
from vitrail.report.plots import AMBER, BLUE, GREY, style
from vitrail.report.text import percent

DPI = 100
PANEL = (340, 420)
"""Largest width and height of a panel beside others, in pixels."""
WIDE_PANEL = 760
"""Width of a panel that has a row of its own."""
WIDE = 2.2
"""Images that are so many times wider than high get a row each."""
MAX_ACROSS = 4
"""Panels side by side, at most."""
COLUMN = 250
"""Least width of a column, in pixels: its caption needs it."""
INK = "#2b2f36"
PLACEHOLDERS = "Last Resort"
"""A font that comes with matplotlib: a sign of the script in place of each letter."""


@dataclass(frozen=True)
class Look:
    """Hold what one picture shows.

    Args:
        image: grey or colour.
        box: left, top, right, bottom of the part that the model saw, in pixels of the image.
        maps: title → (rows, columns) of numbers over the box.
        answers: classes with their probabilities, best first; none of a model that has no classes.
        query: who looks, in words that go on after "Attention of"; empty where no map is of attention.
        truth: the true class; None if it is not known.
        signed: titles of the maps that have numbers below 0.
        about: the class that a map is about; None if none is about one.
    """

    image: Image.Image
    box: Box
    maps: dict[str, npt.NDArray[np.float64]]
    answers: Sequence[tuple[str, float]]
    query: str
    truth: str | None = None
    signed: frozenset[str] = frozenset()
    about: str | None = None


def draw_look(look: Look) -> bytes:
    """Draw an image and, beside or below it, what a model looks at in it.

    Args:
        look: what to show; names may hold anything.

    Returns:
        An encoded PNG. The image keeps its aspect; the maps cover exactly what the model saw, the rest is veiled.
    """
    aspect = min(max(look.image.height / look.image.width, 1 / MAX_ASPECT), MAX_ASPECT)
    panels = 1 + len(look.maps)
    if aspect * WIDE < 1:
        panel = (WIDE_PANEL, round(WIDE_PANEL * aspect))
        column, across = WIDE_PANEL, 1
    else:
        panel = (round(min(PANEL[0], PANEL[1] / aspect)), round(min(PANEL[0] * aspect, PANEL[1])))
        column, across = max(COLUMN, panel[0]), min(panels, MAX_ACROSS)
    page = _Page(panel, column, across, -(-panels // across), font_families(_all_text(look)))
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")  # no font of this machine has it
        figure = Figure(figsize=(page.width / DPI, page.height / DPI), dpi=DPI, facecolor="white")
        _write_answer(figure, page, look)
        _draw_image(page.axes(figure, 0, "image"), look, shrunk(look.image, panel))
        for number, (title, values) in enumerate(look.maps.items(), start=1):
            axes = page.axes(figure, number, title)
            _draw_image(axes, look, shrunk(look.image, panel).convert("L").point(FAINT))
            _draw_map(figure, page, number, axes, look, values, title in look.signed)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


@dataclass(frozen=True)
class _Page:
    """Know where things stand, in pixels from the top left.

    Args:
        panel: width and height of a panel.
        column: width of what a panel stands in.
        across: panels side by side.
        rows: rows of panels.
        fonts: families that write everything.
    """

    panel: tuple[int, int]
    column: int
    across: int
    rows: int
    fonts: tuple[str, ...]

    MARGIN, HEAD, FOOT, TITLE, BAR, GAP = 22, 74, 34, 26, 36, 20

    @property
    def width(self) -> int:
        return max(2 * self.MARGIN + self.across * self.column + (self.across - 1) * self.GAP, 640)

    @property
    def height(self) -> int:
        return self.HEAD + self.rows * (self.TITLE + self.panel[1] + self.BAR) + self.FOOT

    def corner(self, number: int) -> tuple[float, float]:
        """Find the top left of a panel."""
        row, place = divmod(number, self.across)
        used = self.across * self.column + (self.across - 1) * self.GAP
        left = (self.width - used) / 2 + place * (self.column + self.GAP) + (self.column - self.panel[0]) / 2
        return left, self.HEAD + row * (self.TITLE + self.panel[1] + self.BAR) + self.TITLE

    def place(self, figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes without ticks and frame."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = figure.add_axes(box)
        axes.axis("off")
        return axes

    def write(self, figure: Figure, left: float, top: float, text: str, size: float, **how: str) -> float:
        """Write a line whose top left is given, and return where it ends."""
        look: dict[str, Any] = {
            "va": "top",
            "ha": "left",
            "color": GREY,
            "fontsize": size,
            "fontfamily": self.fonts,
            **how,
        }
        line = figure.text(left / self.width, 1 - top / self.height, text, parse_math=False, **look)
        return float(line.get_window_extent().x1)

    def axes(self, figure: Figure, number: int, title: str) -> Axes:
        """Add a panel with its title."""
        left, top = self.corner(number)
        self.write(figure, left + self.panel[0] / 2, top - 23, title, 11, ha="center", color=INK)
        return self.place(figure, left, top, *self.panel)


def _write_answer(figure: Figure, page: _Page, look: Look) -> None:
    """Write the best class large, the next ones and who looks small."""
    seen = "" if _is_whole(look) else "; outside the frame the model saw nothing"
    asked = [f"attention of {look.query}"] if look.query else []
    asked += [f"gradients of the logit of {_shortened(look.about, 28)}"] if look.about is not None else []
    foot = "; ".join(asked)
    page.write(figure, page.MARGIN, page.height - 26, f"{foot[:1].upper()}{foot[1:]}{seen}.", 9.5)
    if not look.answers:
        page.write(figure, page.MARGIN, 14, "What the model looks at", 19, color=BLUE)
        return
    label, probability = look.answers[0]
    wrong = look.truth is not None and look.truth != label
    end = page.write(
        figure, page.MARGIN, 14, f"{_shortened(label, 28)}  {percent(probability)}", 19, color=AMBER if wrong else BLUE
    )
    if look.truth is not None:
        verdict = f"wrong: it is {_shortened(look.truth, 24)}" if wrong else "right"
        page.write(figure, end + 16, 22, verdict, 12, color=AMBER if wrong else BLUE)
    rest = "    ".join(f"{_shortened(name, 18)} {percent(share)}" for name, share in look.answers[1:4])
    page.write(figure, page.MARGIN, 48, f"then  {rest}" if rest else "", 11)


def _draw_image(axes: Axes, look: Look, shown: Image.Image) -> None:
    width, height = look.image.size
    smooth = "none" if max(look.image.size) <= TINY else "auto"
    axes.imshow(
        np.asarray(shown),
        extent=(0, width, height, 0),
        aspect="auto",
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation=smooth,
    )
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    if not _is_whole(look):
        left, top, right, bottom = look.box
        for corner, across, down in (
            ((0, 0), width, top),
            ((0, bottom), width, height - bottom),
            ((0, top), left, bottom - top),
            ((right, top), width - right, bottom - top),
        ):
            axes.add_patch(Rectangle(corner, across, down, facecolor="white", alpha=VEIL, linewidth=0))
        axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=INK, linewidth=1.2))


def _draw_map(
    figure: Figure,
    page: _Page,
    number: int,
    axes: Axes,
    look: Look,
    values: npt.NDArray[np.float64],
    signed: bool,
) -> None:
    """Lay a map over the part that the model saw; below it, what its colours mean."""
    left, top, right, bottom = look.box
    scale = coloured(values, signed)
    limits = axes.get_xlim(), axes.get_ylim()
    smooth = "none" if max(look.image.size) <= TINY else "bilinear"
    axes.imshow(
        scale.shares, extent=(left, right, bottom, top), aspect="auto", cmap=scale.colours, alpha=OPACITY,
        interpolation=smooth, vmin=0, vmax=1, zorder=0.5,
    )  # fmt: skip
    axes.set(xlim=limits[0], ylim=limits[1])
    x, y = page.corner(number)
    middle, y = x + page.panel[0] / 2, y + page.panel[1] + 9
    bar = page.place(figure, middle - 58, y + 2, 70, 8)
    bar.imshow(np.linspace(0, 1, 64)[None], aspect="auto", cmap=scale.colours, interpolation="bilinear")
    page.write(figure, middle - 64, y - 1, scale.low, 9, ha="right")
    page.write(figure, middle + 18, y - 1, scale.high, 9)


def font_families(text: str) -> tuple[str, ...]:
    """Choose fonts in which a text can be written: our own, and others of this machine for what it lacks.

    Args:
        text: any script.

    Returns:
        Names of families, the first that has a letter writes it.
    """
    return _families_for(frozenset(map(ord, text)))


@lru_cache(maxsize=64)
def _families_for(letters: frozenset[int]) -> tuple[str, ...]:
    families = ["DejaVu Sans"]
    missing = letters - get_font(fontManager.findfont(FontProperties(family=families[0]))).get_charmap().keys()
    others = sorted(fontManager.ttflist, key=lambda one: (one.name.startswith(PLACEHOLDERS), one.style, one.name))
    for entry in others:
        if not missing:
            break
        found = missing & get_font(entry.fname).get_charmap().keys()
        if found:
            families.append(entry.name)
            missing -= found
    return tuple(families)


def _all_text(look: Look) -> str:
    names = [*(name for name, _ in look.answers), look.truth or "", look.about or ""]
    return "".join(_shortened(name, 28) for name in names)


def _shortened(name: str, length: int) -> str:
    """Make one line of a name: no line breaks, no bytes that are no text, no more letters than `length`."""
    line = " ".join(as_text(name).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _is_whole(look: Look) -> bool:
    return all(abs(one - other) < 0.5 for one, other in zip(look.box, (0, 0, *look.image.size), strict=True))
