"""Figures over the depth of a model: attention distance and entropy, token similarity, CKA, norms."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vitrail.report.drawing import Drawing, as_drawing
from vitrail.report.plots import AMBER, BLUE, GREY, style

Array = npt.NDArray[np.float64]
WIDTH, HEIGHT = 480, 300
BINS = 60


def draw_distance(distance: Array, uniform: float) -> Drawing:
    """Draw attention distance over depth, one dot a head.

    Args:
        distance: (layers, heads) pixels.
        uniform: the distance of a head that attends to all patches alike, in pixels.

    Returns:
        The figure.

    Source:
        Dosovitskiy et al. 2020, figures 7 (right) and 11; the mean and the dashed line are ours.
    """
    with style():
        figure, axes = _frame()
        axes.axhline(uniform, color=GREY, linewidth=1.2, linestyle=(0, (4, 3)), label="all patches alike", zorder=1)
        _dots(axes, distance)
        axes.set_ylim(0, 1.06 * max(uniform, float(distance.max())))
        axes.set_ylabel("mean distance (pixels)")
        _legend(axes)
        return as_drawing(figure, "Attention distance over depth, one dot a head")


def draw_entropy(spread: Array) -> Drawing:
    """Draw attention entropy over depth, one dot a head.

    Args:
        spread: (layers, heads) part of the largest entropy, 0 … 1.

    Returns:
        The figure.
    """
    with style():
        figure, axes = _frame()
        _dots(axes, spread)
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        axes.set_ylabel("entropy (of the largest)")
        _legend(axes)
        return as_drawing(figure, "Attention entropy over depth, one dot a head")


def draw_similarity(similarity: Array) -> Drawing:
    """Draw how alike the patches of an image are, over depth.

    Args:
        similarity: (depths,) mean cosine similarity, depth 0 first.

    Returns:
        The figure.
    """
    with style():
        figure, axes = _frame()
        depths = np.arange(len(similarity))
        axes.plot(depths, similarity, color=BLUE, marker="o", markersize=5)
        low = min(0.0, math.floor(10 * float(similarity.min())) / 10)
        axes.set_ylim(low, 1.02)
        axes.set_xlim(-0.4, depths[-1] + 0.4)
        axes.xaxis.set_major_locator(MaxNLocator(13, integer=True))
        axes.set_xlabel("layers passed")
        axes.set_ylabel("mean cosine")
        return as_drawing(figure, "Cosine similarity between the patches of an image over depth")


def draw_cka(cka: Array) -> Drawing:
    """Draw how alike the features of every two depths are.

    Args:
        cka: (depths, depths), about 0 … 1.

    Returns:
        The figure.
    """
    with style():
        figure = Figure(figsize=(WIDTH / 72, 420 / 72))
        axes = figure.add_axes((0.135, 0.13, 0.735, 0.84))
        low = min(0.0, math.floor(10 * float(np.nanmin(cka))) / 10)
        shown = axes.imshow(cka, origin="lower", cmap="viridis", vmin=low, vmax=1, interpolation="none")
        axes.grid(False)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(8, integer=True))
        axes.set_xlabel("layers passed")
        axes.set_ylabel("layers passed")
        _colour_bar(figure, shown)
        return as_drawing(figure, "Linear CKA between the features of every two depths")


def draw_norms(norms: Array, threshold: float) -> Drawing:
    """Draw how long the vectors of patches are, and where artefacts would be.

    Args:
        norms: (patches,) of all images.
        threshold: norms above are artefacts.

    Returns:
        The figure.
    """
    with style():
        figure, axes = _frame()
        top = max(float(norms.max()), threshold) * 1.03 or 1.0
        counts, edges = np.histogram(norms, bins=BINS, range=(0, top))
        for kept, colour in ((edges[:-1] < threshold, BLUE), (edges[:-1] >= threshold, AMBER)):
            axes.stairs(np.where(kept, counts, 0), edges, fill=True, color=colour, baseline=0.1)
        axes.axvline(threshold, color=AMBER, linewidth=1.4, linestyle=(0, (4, 3)), label="above: artefacts")
        axes.set_yscale("log")
        axes.set_ylim(0.7, 2.5 * counts.max())
        axes.set_xlim(0, top)
        axes.minorticks_off()
        axes.set_xlabel("norm of a patch after the last layer")
        axes.set_ylabel("patches (log scale)")
        _legend(axes)
        return as_drawing(figure, "Norms of the patches after the last layer")


def _frame() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    return figure, figure.add_axes((0.135, 0.17, 0.845, 0.74))


def _dots(axes: Axes, values: Array) -> None:
    """Draw a dot for each head, a little apart where there are many, and the mean over heads."""
    layers, heads = values.shape
    apart = np.linspace(-0.16, 0.16, heads) if heads > 1 else np.zeros(1)
    x = np.arange(layers)
    places = (x[:, None] + apart).ravel()
    axes.plot(places, values.ravel(), "o", color=BLUE, alpha=0.75, markersize=5.5, markeredgewidth=0, label="a head")
    axes.plot(x, values.mean(axis=1), color=AMBER, linewidth=1.8, marker="" if layers > 1 else "D", label="their mean")
    axes.set_xlim(-0.6, layers - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    axes.set_xlabel("layer")


def _legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2, ncols=3, handlelength=1.4)


def _colour_bar(figure: Figure, shown: object) -> None:
    bar = figure.colorbar(shown, cax=figure.add_axes((0.9, 0.13, 0.025, 0.84)))  # type: ignore[arg-type]
    bar.outline.set_visible(False)
    bar.ax.tick_params(size=0)
