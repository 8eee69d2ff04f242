"""Figures made of many small pictures: filters, positions, biases of the scores."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from vitrail.report.drawing import Drawing, as_drawing
from vitrail.report.plots import RIGHT_RGB, WRONG_RGB, style

Array = npt.NDArray[np.float64]
WIDTH = 480
ACROSS = 7
"""Filters in a row: 28 make four, as in the paper."""
MAX_TILES = 8
"""Places that are shown along each side of the grid; of larger grids, so many at even steps."""
MAX_ASPECT = 2.0
"""Figures are at most so many times higher than wide; higher ones are made narrower."""
TILE = 24
"""Pixels that the smaller side of a tile has at least."""


def draw_filters(components: Array) -> Drawing:
    """Draw the principal components of filters, each from its own least to its own largest value around grey.

    Args:
        components: (components, rows, columns, channels); of more than three channels, the first three are red, green
            and blue; of two, the first is shown.

    Returns:
        The figure.

    Source:
        Dosovitskiy et al. 2020, figure 7 (left).
    """
    shown = components[..., :3] if components.shape[-1] > 2 else np.repeat(components[..., :1], 3, axis=-1)
    largest = np.abs(shown).max(axis=(1, 2, 3), keepdims=True)
    colours = 0.5 + 0.5 * shown / np.where(largest > 0, largest, 1)
    count = len(colours)
    across = min(ACROSS, count)
    opaque = np.concatenate([colours, np.ones((*colours.shape[:3], 1))], axis=-1)
    rows = -(-count // across)
    padded = np.zeros((rows * across, *opaque.shape[1:]))
    padded[:count] = opaque
    with style():
        pixels = mosaic(padded.reshape(rows, across, *opaque.shape[1:]))
        height = WIDTH * pixels.shape[0] / pixels.shape[1]
        figure = Figure(figsize=(WIDTH / 72, height / 72))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow(pixels, interpolation="none", aspect="auto")
        axes.axis("off")
        return as_drawing(figure, f"The first {count} principal components of the filters")


def draw_positions(tiles: Array) -> Drawing:
    """Draw how alike each place is to all others, one tile a place.

    Args:
        tiles: (rows, columns, rows, columns), at most 1.

    Returns:
        The figure.

    Source:
        Dosovitskiy et al. 2020, figure 7 (centre). There colours begin at −1; here at the least value there is.
    """
    rows, columns = (chosen_places(side) for side in tiles.shape[:2])
    low = min(float(tiles.min()), 1 - 1e-6)
    colours = matplotlib.colormaps["viridis"]((tiles[np.ix_(rows, columns)] - low) / (1 - low))
    with style():
        pixels = mosaic(colours)
        height = WIDTH * min(1.6, max(0.3, 0.83 * pixels.shape[0] / pixels.shape[1]))
        figure = Figure(figsize=(WIDTH / 72, (height + 50) / 72))
        axes = figure.add_axes((0.09, 50 / (height + 50), 0.78, height / (height + 50) - 0.01))
        shown = axes.imshow(pixels, interpolation="none", extent=(0, len(columns), len(rows), 0), aspect="auto")
        _plain(axes, [str(one) for one in rows], [str(one) for one in columns])
        axes.set_xlabel("column of the patch")
        axes.set_ylabel("row of the patch")
        shown.set_cmap("viridis")
        shown.set_clim(low, 1)
        place = axes.get_position()
        bar = figure.colorbar(shown, cax=figure.add_axes((0.9, place.y0, 0.025, place.height)))
        bar.outline.set_visible(False)
        bar.ax.tick_params(size=0)
        return as_drawing(figure, "Similarity of every place with all others")


def draw_bias(values: Array) -> Drawing:
    """Draw what is added to the scores of the patch at the centre: blue more, orange less, deeper the further from 0.

    Args:
        values: (layers, heads, rows, columns).

    Returns:
        The figure.
    """
    layers, heads = values.shape[:2]
    most = float(np.abs(values).max()) or 1.0
    colours = np.empty((*values.shape, 4))
    colours[..., :3] = np.where((values > 0)[..., None], RIGHT_RGB, WRONG_RGB) / np.float64(255)
    colours[..., 3] = np.abs(values) / most
    across, down = ("head", heads), ("layer", layers)
    if heads == 1:  # all heads alike: the layers stand side by side
        colours, across, down = colours.swapaxes(0, 1), down, across
    with style():
        pixels = mosaic(colours)
        ratio = pixels.shape[0] / pixels.shape[1]
        height = WIDTH * min(MAX_ASPECT, max(0.12, 0.83 * ratio))
        figure = Figure(figsize=(WIDTH / 72, (height + 50) / 72))
        wide = min(0.89, 0.89 * MAX_ASPECT / (0.83 * ratio))
        axes = figure.add_axes((0.09, 50 / (height + 50), wide, height / (height + 50) - 0.01))
        axes.imshow(pixels, interpolation="none", extent=(0, across[1], down[1], 0), aspect="auto")
        _plain(axes, _numbers(down[1]), _numbers(across[1]))
        axes.set_xlabel(across[0])
        axes.set_ylabel(down[0])
        return as_drawing(figure, f"Bias of the scores of the patch at the centre, deepest at {most:.3g}")


def mosaic(tiles: Array) -> Array:
    """Lay tiles side by side, with gaps through which the page is seen.

    Args:
        tiles: (down, across, rows, columns, 4) colours, 0 … 1.

    Returns:
        (height, width, 4): each pixel of a tile is repeated until the tile has `TILE` pixels or more.
    """
    down, across, rows, columns, _ = tiles.shape
    times = max(1, -(-TILE // min(rows, columns)))
    large = tiles.repeat(times, axis=2).repeat(times, axis=3)
    gap = max(2, large.shape[2] // 12)
    framed = np.zeros((down, across, large.shape[2] + gap, large.shape[3] + gap, 4))
    framed[:, :, : large.shape[2], : large.shape[3]] = large
    whole = framed.transpose(0, 2, 1, 3, 4).reshape(down * framed.shape[2], across * framed.shape[3], 4)
    return whole[:-gap, :-gap]


def chosen_places(side: int) -> list[int]:
    """Choose the places along a side of the grid that are shown.

    Args:
        side: places that there are.

    Returns:
        All, or `MAX_TILES` at even steps, first and last among them.
    """
    return sorted({round(one) for one in np.linspace(0, side - 1, min(side, MAX_TILES))})


def _numbers(count: int) -> list[str]:
    return ["all"] if count == 1 else [str(one) for one in range(count)]


def _plain(axes: Any, down: list[str], across: list[str]) -> None:
    """Take frame and grid away, and number the tiles at their middles."""
    axes.grid(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks(np.arange(len(across)) + 0.5, labels=across)
    axes.set_yticks(np.arange(len(down)) + 0.5, labels=down)
    axes.tick_params(size=0)
