"""The figures of the page as inline SVG: transparent, in colours that stand on light and on dark.

Text stays text, so the page's own font and colour apply to it; no name of a class or file is ever drawn here.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vitrail.report.data import Bin, Epoch

BLUE, AMBER, GREY = "#4a7fc1", "#d08a2e", "#7a7f87"
RIGHT_RGB, WRONG_RGB = (74, 127, 193), (212, 96, 60)
MAX_CELLS = 256
"""Largest side of the confusion picture in cells; more classes are summed in blocks."""

STYLE = {
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelcolor": GREY,
    "axes.labelsize": 13,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "grid.alpha": 0.22,
    "grid.color": GREY,
    "grid.linewidth": 0.8,
    "legend.fontsize": 13,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "lines.linewidth": 2.0,
    "lines.solid_capstyle": "round",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "vitrail",
    "text.color": GREY,
    "xtick.color": GREY,
    "xtick.labelsize": 13,
    "xtick.major.size": 3.5,
    "ytick.color": GREY,
    "ytick.labelsize": 13,
    "ytick.major.size": 0,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in our style whatever the user's own matplotlib settings are."""
    settings: dict[Any, Any] = {**matplotlib.rcParamsDefault, **STYLE}
    with matplotlib.rc_context({key: value for key, value in settings.items() if "backend" not in key}):
        yield


def draw_loss(epochs: Sequence[Epoch]) -> str:
    """Draw training loss and validation loss over epochs.

    Args:
        epochs: one or more.

    Returns:
        An `<svg>` element.
    """
    with style():
        figure, axes = _frame()
        numbers, many = [one.number for one in epochs], len(epochs) > 1
        for values, colour, label in (
            ([one.loss for one in epochs], AMBER, "training"),
            ([one.val_nll for one in epochs], BLUE, "validation"),
        ):
            axes.plot(numbers, values, color=colour, label=label, marker="" if many else "o")
        axes.set_ylim(0, 1.04 * max(max(one.loss, one.val_nll) for one in epochs) or 1)
        axes.set_ylabel("loss")
        _epoch_axis(axes, numbers)
        axes.legend(loc="upper right" if many else "best")
        return as_svg(figure, "Training and validation loss over epochs")


def draw_accuracy(epochs: Sequence[Epoch], best: int | None) -> str:
    """Draw training and validation accuracy over epochs.

    Args:
        epochs: one or more.
        best: number of the epoch to mark; None for none.

    Returns:
        An `<svg>` element.
    """
    with style():
        figure, axes = _frame()
        numbers, many = [one.number for one in epochs], len(epochs) > 1
        values = {"training": [one.train_top1 for one in epochs], "validation": [one.val_top1 for one in epochs]}
        for (label, shares), colour in zip(values.items(), (AMBER, BLUE), strict=True):
            axes.plot(numbers, shares, color=colour, label=label, marker="" if many else "o", zorder=3)
        for one in epochs:
            if one.number == best:
                axes.plot(one.number, one.val_top1, "o", color=BLUE, markersize=8, label="kept", zorder=4)
        low, high = accuracy_limits([*values["training"], *values["validation"]])
        axes.set_ylim(low, high + 0.012 * (high - low))
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None, symbol=" %"))
        axes.set_ylabel("accuracy")
        _epoch_axis(axes, numbers)
        axes.legend(loc="lower right" if many else "best")
        return as_svg(figure, "Training and validation accuracy over epochs")


def accuracy_limits(shares: Sequence[float]) -> tuple[float, float]:
    """Choose the ends of an accuracy axis: all points in sight, the upper end no higher than 100 %.

    Args:
        shares: what will be drawn, 0 … 1.

    Returns:
        Lowest and highest, multiples of 0.1 (0.01 where everything is within 0.05 of each other).
    """
    unit = 0.1 if max(shares) - min(shares) > 0.05 else 0.01
    low = min(1 - unit, math.floor(min(shares) / unit + 1e-9) * unit)
    high = min(1.0, math.ceil(max(shares) / unit - 1e-9) * unit)
    return round(low, 2), round(max(high, low + unit), 2)


def draw_reliability(bins: Sequence[Bin], before: Sequence[Bin] = ()) -> str:
    """Draw how often a model is right against how sure it is, and below it how often it is so sure.

    Args:
        bins: one or more, none of them empty.
        before: the same images before calibration, drawn as outlines; empty for none.

    Returns:
        An `<svg>` element.
    """
    with style():
        figure = Figure(figsize=(480 / 72, 400 / 72))
        axes = figure.add_axes((0.135, 0.335, 0.845, 0.585 if before else 0.645))
        share = figure.add_axes((0.135, 0.125, 0.845, 0.11))
        total = sum(one.n for one in bins)
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), zorder=2)
        axes.bar(*_bars(bins), align="edge", color=_faded(BLUE, bins, 0.55), linewidth=0)
        share.bar(*_bars(bins, total), align="edge", color=BLUE, alpha=0.45, linewidth=0)
        middles = [one.confidence for one in bins]
        axes.vlines(middles, *zip(*(one.interval for one in bins), strict=True), color=BLUE, linewidth=1.6, zorder=3)
        axes.plot(middles, [one.accuracy for one in bins], "o", color=BLUE, markersize=5, zorder=4)
        if before:
            outline: dict[str, Any] = {"align": "edge", "linewidth": 1.6, "zorder": 2.5}
            axes.bar(*_bars(before), color="none", edgecolor=_faded(AMBER, before, 1.0), **outline)
            share.bar(*_bars(before, total), color="none", edgecolor=AMBER, **outline)
            after = Patch(color=BLUE, alpha=0.45, linewidth=0, label="calibrated")
            handles = [after, Patch(facecolor="none", edgecolor=AMBER, linewidth=1.6, label="before")]
            above = (0, 0.985)
            axes.legend(
                handles=handles, loc="lower left", bbox_to_anchor=above, borderaxespad=0, ncols=2, handlelength=1.4
            )
        most = math.ceil(10 * max(one.n for one in (*bins, *before)) / total) / 10
        for one, top in ((axes, 1.012), (share, most)):
            one.set_xlim(0, 1.006)
            one.set_ylim(0, top)
            for axis in (one.xaxis, one.yaxis):
                axis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], labels=[])
        share.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        share.set_yticks([most])
        axes.set_ylabel("right")
        share.set_title("share of the images", loc="left", fontsize=13, color=GREY, pad=5)
        share.set_xlabel("how sure the model is")
        return as_svg(figure, "Reliability diagram: accuracy against confidence")


def _faded(colour: str, bins: Sequence[Bin], strongest: float) -> list[tuple[float, float, float, float]]:
    """Make bars fainter the less is known of them, so that bins of a few images do not shout."""
    return [to_rgba(colour, strongest * (0.2 + 0.8 * (1 - one.interval[1] + one.interval[0]))) for one in bins]


def _bars(bins: Sequence[Bin], total: int = 0) -> tuple[list[float], list[float], list[float]]:
    """Give left ends, heights and widths: the accuracy of each bin, or its share of `total` images."""
    heights = [one.n / total if total else one.accuracy for one in bins]
    return [one.low for one in bins], heights, [one.high - one.low for one in bins]


def draw_confusion(matrix: npt.NDArray[np.int64]) -> str:
    """Draw a large confusion matrix by colour alone: right answers blue, wrong ones orange.

    Args:
        matrix: (classes, classes) counts, row = true class.

    Returns:
        An `<svg>` element; axes count classes from 1.
    """
    with style():
        figure = Figure(figsize=(480 / 72, 480 / 72))
        axes = figure.add_axes((0.135, 0.105, 0.85, 0.88))
        classes = len(matrix)
        axes.imshow(confusion_pixels(matrix), interpolation="none", extent=(0.5, classes + 0.5, classes + 0.5, 0.5))
        axes.grid(False)
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_alpha(0.6)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10], prune="lower"))
        axes.tick_params(axis="y", size=3.5)
        axes.set_xlabel("taken for (class number)")
        axes.set_ylabel("true class (number)")
        return as_svg(figure, "Confusion matrix")


def confusion_pixels(matrix: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Colour a confusion matrix, summing blocks of classes where there are more than `MAX_CELLS`.

    Args:
        matrix: (classes, classes) counts, row = true class.

    Returns:
        (side, side, 4) uint8: nothing where the count is 0, elsewhere more opaque where the share of the row is larger.
    """
    starts = np.arange(0, len(matrix), block_size(len(matrix)))
    cells = np.add.reduceat(np.add.reduceat(matrix, starts, axis=0), starts, axis=1).astype(np.float64)
    shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1)
    pixels = np.empty((*shares.shape, 4), dtype=np.uint8)
    pixels[..., :3] = WRONG_RGB
    pixels[np.arange(len(shares)), np.arange(len(shares)), :3] = RIGHT_RGB
    pixels[..., 3] = np.where(cells > 0, np.rint(255 * (0.4 + 0.6 * np.sqrt(shares))), 0)
    return pixels


def block_size(classes: int) -> int:
    """Say how many classes one cell of the confusion picture stands for along each side.

    Args:
        classes: number of classes.

    Returns:
        1 or more.
    """
    return -(-classes // MAX_CELLS)


def _frame() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(480 / 72, 290 / 72))
    return figure, figure.add_axes((0.135, 0.175, 0.845, 0.805))


def _epoch_axis(axes: Axes, numbers: Sequence[int]) -> None:
    margin = 0.02 * len(numbers) if len(numbers) > 1 else 0.9
    axes.set_xlim(min(numbers) - margin, max(numbers) + margin)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes.set_xlabel("epoch")


def as_svg(figure: Figure, label: str) -> str:
    """Write a figure without what an inline SVG does not need: prologue, fixed size, metadata, ids of groups.

    Args:
        figure: drawn.
        label: what it shows, for those who cannot see it.

    Returns:
        An `<svg>` element.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<style.*?</style>|<metadata>.*?</metadata>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"font-family: [^;]*; ", "", text)
    text = re.sub(
        r'^<svg[^>]*?(viewBox="[^"]*")[^>]*>', rf'<svg {_NAMESPACES} \1 role="img" aria-label="{label}">', text
    )
    return re.sub(r"\s*\n\s*", "\n", text)


_NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
