"""The curves of deletion and insertion as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from vitrail.report.plots import AMBER, BLUE, GREY, as_svg, style

COLOURS = (BLUE, AMBER, "#4f9d69", "#a4639e", "#c2553f", "#5aa5b5", "#8a7a3d", "#6f6fc4")
Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Hold one curve.

    Args:
        heights: 0 … 1, one a fraction.
        colour: of the line.
    """

    heights: Numbers
    colour: str


def colour_of(number: int) -> str:
    """Choose the colour of a map's curves.

    Args:
        number: of the map, from 0.

    Returns:
        As CSS writes it; the colours come again after the last.
    """
    return COLOURS[number % len(COLOURS)]


def draw_curves(fractions: Numbers, curves: Sequence[Curve], chance: Sequence[Numbers], label: str) -> str:
    """Draw how a probability changes as patches go or come, with all that random orders did as a band.

    Args:
        fractions: of the patches, 0 … 1.
        curves: of the maps.
        chance: of the random orders, one or more.
        label: what the axis counts, such as "patches taken away".

    Returns:
        An `<svg>` element.
    """
    with style():
        figure = Figure(figsize=(480 / 72, 260 / 72))
        axes = figure.add_axes((0.135, 0.2, 0.845, 0.775))
        low, high = np.min(chance, axis=0), np.max(chance, axis=0)
        axes.fill_between(fractions, low, high, color=GREY, alpha=0.25, linewidth=0)
        axes.plot(fractions, np.mean(chance, axis=0), color=GREY, linewidth=1.4, linestyle=(0, (4, 3)))
        for one in curves:
            axes.plot(fractions, one.heights, color=one.colour)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.02)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xlabel(label)
        axes.set_ylabel("probability")
        return as_svg(figure, f"Probability of the class against {label}")
