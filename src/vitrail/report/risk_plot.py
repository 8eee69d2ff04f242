"""The figure of what happens if a model answers only where it is sure."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from vitrail.report.data import Risk
from vitrail.report.plots import AMBER, BLUE, as_svg, style


def draw_risk(risk: Risk) -> str:
    """Draw the error rate against the part of the images that is answered; a ring at each promise.

    Args:
        risk: one point or more.

    Returns:
        An `<svg>` element.
    """
    with style():
        figure = Figure(figsize=(480 / 72, 300 / 72))
        axes = figure.add_axes((0.135, 0.17, 0.845, 0.79))
        axes.plot(risk.coverage, risk.error, color=BLUE, zorder=3)
        axes.fill_between(risk.coverage, risk.error, color=BLUE, alpha=0.12, linewidth=0)
        for promise in risk.promises:
            place = [promise.coverage], [promise.error]
            axes.plot(
                *place, "o", markersize=9, markerfacecolor="none", markeredgecolor=AMBER, markeredgewidth=2, zorder=4
            )
        axes.set_xlim(0, 1.006)
        axes.set_ylim(0, _top(risk.error))
        for axis, decimals in ((axes.xaxis, 0), (axes.yaxis, None)):
            axis.set_major_formatter(PercentFormatter(1, decimals=decimals, symbol=" %"))
        axes.set_xlabel("images that are answered")
        axes.set_ylabel("wrong answers")
        return as_svg(figure, "Risk against coverage: error rate of the surest answers")


def _top(errors: Sequence[float]) -> float:
    """Leave out what the few surest answers do by chance, unless there is nothing else."""
    settled = errors[len(errors) // 20 :] or errors
    return max(0.01, 1.1 * max(settled))
