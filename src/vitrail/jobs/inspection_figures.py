"""The figures of an inspection, with the sentences that say how to read them and the numbers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vitrail.analysis.distance import attention_distance
from vitrail.analysis.filters import patch_filters
from vitrail.analysis.norms import TIMES
from vitrail.analysis.positions import position_bias, position_similarity
from vitrail.analysis.survey import Findings
from vitrail.core.errors import ConfigError
from vitrail.jobs import inspection_tables as tables
from vitrail.jobs.inspection_words import Artefacts
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Grid
from vitrail.report import layer_plots, tile_plots
from vitrail.report.inspection_data import Panel
from vitrail.report.text import percent


@dataclass(frozen=True)
class Figure:
    """Hold a figure with its numbers.

    Args:
        panel: what the page shows.
        columns: of its table.
    """

    panel: Panel
    columns: tables.Columns

    def files(self) -> dict[str, bytes]:
        """Give the content of its files by name."""
        name, drawing = self.panel.name, self.panel.drawing
        return {
            f"{name}.png": drawing.png,
            f"{name}.svg": drawing.svg.encode(),
            f"{name}.parquet": tables.parquet(self.columns),
        }


def figures_of_weights(model: VisionTransformer, grid: Grid) -> tuple[list[Figure], list[str]]:
    """Draw what can be seen without an image.

    Args:
        model: any Vision Transformer of the library.
        grid: rows and columns of patches, to which positions are carried.

    Returns:
        The figures, and what could not be drawn and why.
    """
    figures, notes = [], []
    try:
        figures.append(_filters(model))
    except ConfigError as error:
        notes.append(error.message)
    positions = [*_positions(model, grid), *_bias(model, grid)]
    if not positions:
        notes.append("positions: nothing here tells the model where a patch is, so there is nothing to draw")
    return figures + positions, notes


def figures_of_images(
    findings: Findings, names: Sequence[str], model: VisionTransformer, grid: Grid, artefacts: Artefacts
) -> tuple[list[Figure], list[str]]:
    """Draw what a survey found.

    Args:
        findings: of the survey.
        names: of its images, in order.
        model: that was surveyed.
        grid: rows and columns of patches, of the largest images.
        artefacts: of the same images.

    Returns:
        The figures, and what could not be drawn and why.
    """
    figures, notes = [_distance(findings, model, grid), _entropy(findings)], []
    if bool(findings.similarity.isfinite().all()):
        figures.append(_similarity(findings))
    else:
        notes.append("token similarity: an image of one patch has no two that could be compared")
    if findings.cka is not None and bool(findings.cka.isfinite().all()):
        figures.append(_cka(findings))
    else:
        notes.append("CKA: it takes four different images of one size, or more")
    figures.append(_norms(findings, names, artefacts))
    return figures, notes


def _distance(findings: Findings, model: VisionTransformer, grid: Grid) -> Figure:
    count = grid[0] * grid[1]
    even = torch.full((1, 1, count, count), 1 / count, dtype=torch.float64)
    uniform = float(attention_distance(even, grid, model.config.patch_size))
    text = (
        "How far from a patch the patches lie that it attends to, on average, weighted by attention. One dot a head; "
        "figures 7 and 11 of the paper. The dashed line is a head that looks at all patches alike."
    )
    drawing = layer_plots.draw_distance(findings.distance.numpy(), uniform)
    columns = tables.of_array(("layer", "head"), (0, 0), distance=findings.distance.numpy())
    return Figure(Panel("attention_distance", "Attention distance", text, drawing), columns)


def _entropy(findings: Findings) -> Figure:
    text = (
        "How widely a head spreads its attention: 100 % is all tokens alike, 0 % a single one. A head near 0 % looks "
        "one token up; a layer whose heads are all near 100 % only averages."
    )
    drawing = layer_plots.draw_entropy(findings.spread.numpy())
    columns = tables.of_array(
        ("layer", "head"), (0, 0), entropy=findings.entropy.numpy(), fraction=findings.spread.numpy()
    )
    return Figure(Panel("attention_entropy", "Attention entropy", text, drawing), columns)


def _similarity(findings: Findings) -> Figure:
    values = findings.similarity.numpy()
    text = (
        "Cosine similarity of two different patches of an image, averaged over all pairs. Near 1, patches can no "
        f"longer be told apart. Here it is {values[0]:.2f} before the first layer and {values[-1]:.2f} after the last."
    )
    columns = tables.of_array(("depth",), (0,), similarity=values)
    return Figure(Panel("similarity", "Token similarity", text, layer_plots.draw_similarity(values)), columns)


def _cka(findings: Findings) -> Figure:
    assert findings.cka is not None
    values = findings.cka.numpy()
    text = (
        "Linear CKA: how alike two depths arrange the images, from about 0 to 1. A bright square is a run of layers "
        f"that change little. Unbiased, over minibatches of {findings.cka_images:,} images."
    )
    columns = tables.of_array(("depth", "other_depth"), (0, 0), cka=values)
    return Figure(Panel("cka", "Likeness of layers", text, layer_plots.draw_cka(values)), columns)


def _norms(findings: Findings, names: Sequence[str], artefacts: Artefacts) -> Figure:
    norms = [one.numpy() for one in findings.norms]
    text = (
        "Length of the vectors of patches as they leave the last layer. In large models some patches of no interest "
        f"carry facts of the whole image, and are far longer. Counted as such: more than {TIMES:g} times the median, "
        f"here {artefacts.threshold:.4g}; that is {round(artefacts.share * artefacts.patches):,} of "
        f"{artefacts.patches:,} patches."
    )
    drawing = layer_plots.draw_norms(np.concatenate([one.ravel() for one in norms]), artefacts.threshold)
    columns = tables.of_norms(names, norms, artefacts.threshold)
    return Figure(Panel("norms", "Norms and artefacts", text, drawing), columns)


def _filters(model: VisionTransformer) -> Figure:
    filters = patch_filters(model)
    count, explained = len(filters.components), float(filters.explained.sum())
    text = (
        f"The first {count} principal components of the {filters.total:,} filters of {filters.layer}, which the image "
        f"meets first; they explain {percent(explained)} of how filters differ. Figure 7 of the paper."
    )
    drawing = tile_plots.draw_filters(filters.components.numpy())
    return Figure(Panel("filters", "Filters", text, drawing), tables.of_filters(filters))


def _positions(model: VisionTransformer, grid: Grid) -> list[Figure]:
    found = position_similarity(model, grid)
    if not found:
        return []
    if found[0].turned:
        how = "What is left of the product of a query and an equal key at another place, after both were turned"
    else:
        how = "Cosine similarity of what is added to a patch at one place and at all others"
    where = "" if found[0].layer is None else f", in layer {found[0].layer} of {len(found)}"
    shown = [tile_plots.chosen_places(side) for side in grid]
    part = "" if [len(one) for one in shown] == list(grid) else f" Shown are {len(shown[0])} × {len(shown[1])} places."
    text = f"{how}{where}: one tile a place, laid out as the patches are. Figure 7 of the paper.{part}"
    drawing = tile_plots.draw_positions(found[0].tiles.numpy())
    return [Figure(Panel("positions", "Positions", text, drawing), tables.of_positions(found))]


def _bias(model: VisionTransformer, grid: Grid) -> list[Figure]:
    bias = position_bias(model, grid)
    if bias is None:
        return []
    values = bias.values.numpy()
    if bias.by_content:
        how = "How strongly place can change the scores of the patch at the centre: a standard deviation over queries"
    else:
        how = "What place adds to the scores of the patch at the centre: blue more, orange less"
    text = f"{how}; one tile a head, laid out as the patches are. The deepest colour is {np.abs(values).max():.3g}."
    drawing = tile_plots.draw_bias(values)
    return [Figure(Panel("position_bias", "Positions in the scores", text, drawing), tables.of_bias(bias))]
