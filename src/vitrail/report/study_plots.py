"""The figures of a study: a row of dots for each cell, or curves."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, PercentFormatter

from vitrail.report.plots import AMBER, BLUE, GREY, as_svg, style
from vitrail.report.study_data import Curves, Dots, Panel
from vitrail.report.text import quantity

COLOURS = (BLUE, AMBER, "#4f9d69", "#b0566f", "#7d6bb5", GREY)
PAPER = "#fcfbf8"
WIDTH, ROW, LETTER = 480, 25, 7.1
"""Points: width of a panel, height of a row of dots, width of a letter."""


def draw_panel(panel: Panel) -> str:
    """Draw one panel of a figure.

    Args:
        panel: what it shows.

    Returns:
        An `<svg>` element, transparent.
    """
    with style():
        return as_svg(_draw(panel), panel.title)


def draw_png(panel: Panel) -> bytes:
    """Draw one panel as a picture of its own.

    Args:
        panel: what it shows.

    Returns:
        A PNG file, on the colour of paper, with its title.
    """
    with style():
        figure = _draw(panel)
        figure.axes[0].set_title(panel.title, loc="left", fontsize=13, color="#23262b", pad=12)
        sink = io.BytesIO()
        figure.savefig(sink, format="png", dpi=144, facecolor=PAPER, bbox_inches="tight", metadata={"Software": None})
        return sink.getvalue()


def _draw(panel: Panel) -> Figure:
    return _draw_dots(panel) if isinstance(panel, Dots) else _draw_curves(panel)


def _draw_dots(panel: Dots) -> Figure:
    left = min(0.5 * WIDTH, 14 + LETTER * max(len(row.label) for row in panel.rows))
    height = ROW * len(panel.rows) + 52
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((left / WIDTH, 34 / height, 1 - (left + 18) / WIDTH, 1 - 44 / height))
    axes.grid(axis="x", alpha=0.22)
    axes.grid(visible=False, axis="y")
    for place, row in enumerate(panel.rows):
        colour = COLOURS[row.group % len(COLOURS)]
        axes.plot(row.values, [place] * len(row.values), "o", color=colour, markersize=5, alpha=0.35, linewidth=0)
        if row.interval[1] > row.interval[0] and all(map(math.isfinite, row.interval)):
            axes.hlines(place, *row.interval, color=colour, linewidth=2.2)
        axes.plot(row.mean, place, "o", color=colour, markersize=7.5)
    if panel.line is not None:
        axes.axvline(panel.line, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(len(panel.rows) - 0.4, -0.6)
    axes.set_yticks(range(len(panel.rows)), [row.label for row in panel.rows])
    axes.spines["left"].set_visible(False)
    _limit(axes, panel)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(_formatter(panel.unit))
    return figure


def _limit(axes: Axes, panel: Dots) -> None:
    """Show all runs and means; an interval of two seeds may be wider than what is worth a look."""
    seen = [value for row in panel.rows for value in (*row.values, row.mean)]
    seen += [] if panel.line is None else [panel.line]
    low, high = min(seen), max(seen)
    room = (high - low or abs(high) or 1) * 0.12
    axes.set_xlim(low - room, high + room)


def _draw_curves(panel: Curves) -> Figure:
    height = 320
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    axes = figure.add_axes((0.135, 0.16, 0.845, 0.8))
    for curve in panel.curves:
        colour = COLOURS[curve.group % len(COLOURS)]
        axes.plot(curve.x, curve.mean, "o-", color=colour, markersize=6, label=curve.label, zorder=3)
        known = all(math.isfinite(bound) for bounds in curve.interval for bound in bounds)
        if known and len(curve.x):
            low, high = zip(*curve.interval, strict=True)
            axes.fill_between(curve.x, low, high, color=colour, alpha=0.14, linewidth=0)
    seen = [value for curve in panel.curves for value in curve.mean]
    if panel.log_y:
        axes.set_yscale("log")
    elif seen:
        room = (max(seen) - min(seen) or 1) * 0.15
        axes.set_ylim(min(seen) - room, max(seen) + room)
    if panel.log_x:
        axes.set_xscale("log")
        _tick_places(axes, [x for curve in panel.curves for x in curve.x])
    axes.xaxis.set_major_formatter(_formatter("number"))
    axes.yaxis.set_major_formatter(_formatter(panel.unit))
    axes.set_xlabel(panel.x_label)
    if len(panel.curves) > 1:
        axes.legend(loc="best")
    return figure


def _tick_places(axes: Axes, places: Sequence[float]) -> None:
    """Put ticks where the points are if they are few, else at powers."""
    known = sorted(set(places))
    apart = all(b / a > 1.35 for a, b in itertools.pairwise(known))
    if len(known) <= 6 and apart:
        axes.set_xticks(known)
        axes.xaxis.set_minor_locator(LogLocator(subs=()))
    else:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _formatter(unit: str) -> FuncFormatter | PercentFormatter:
    if unit == "share":
        return PercentFormatter(1, decimals=None, symbol=" %")
    return FuncFormatter(lambda value, _: quantity(value) if value >= 10_000 else f"{value:g}")
