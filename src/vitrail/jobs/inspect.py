"""See inside a model: filters, positions, and what attention and features do in each layer, on the user's images."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing
from math import log2
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vitrail.analysis.maps import require_attention
from vitrail.analysis.survey import Survey
from vitrail.core.config import require
from vitrail.core.errors import DataError, WeightsError
from vitrail.core.files import as_text
from vitrail.data.pixels import Pixels
from vitrail.jobs.attended import MOST, Choice, attended_images, prefix_names
from vitrail.jobs.events import Advanced, Listener, Note, silent
from vitrail.jobs.inspection import Inspection, Looked
from vitrail.jobs.inspection_figures import Figure, figures_of_images, figures_of_weights
from vitrail.jobs.inspection_folder import FIGURES, InspectionFolder
from vitrail.jobs.inspection_images import Chosen, choose_images
from vitrail.jobs.inspection_words import VERDICTS, artefacts_of, trend_of
from vitrail.jobs.predictor import Predictor, load
from vitrail.nn.shapes import Grid
from vitrail.report.inspection_data import Attended, InspectionData, Panel
from vitrail.report.inspection_page import render_inspection
from vitrail.report.text import percent
from vitrail.weights.reference import Reference

IMAGES = 128
"""As many as in the paper's figures 7 and 11."""
BATCH_BYTES = 64 * 2**20
"""Attention of one block, in float64, for a batch; it takes part in several arrays of that size at once."""
NAMED = 3
"""Images that could not be used and are named one by one; the summary has them all."""


def inspect(
    reference: Reference | Any,
    data: Reference | None = None,
    *,
    out: Reference,
    images: int = IMAGES,
    renormalise: bool = False,
    layers: Sequence[int] = (),
    heads: Sequence[int] = (),
    seed: int = 0,
    overwrite: bool = False,
    device: str | None = None,
    listener: Listener = silent,
) -> Inspection:
    """Draw what is inside a model: a page, its figures, and their numbers.

    Args:
        reference: a run folder, a model file, weights of another library, a Predictor, or what `fit` returned.
        data: a data reference, or any folder of images; None for what the model was trained on, if it is still there,
            else only what needs no images is drawn.
        out: folder.
        images: how many are looked at, 1 or more.
        renormalise: as for `attention_distance`.
        layers: blocks whose attention can be explored on the page, from 0; none for all.
        heads: the same for heads.
        seed: decides which images.
        overwrite: replace the inspection in `out`.
        device: where to compute; None for the fastest there is.
        listener: is told how far it has come, and of images that cannot be used.

    Returns:
        What was found.

    Raises:
        WeightsError: if the model cannot be loaded, or computes numbers that are not finite.
        ConfigError: if it has no attention, or no such layer or head; or if `out` is in use or cannot be written.
        DataError: if the data cannot be read, or not one image can be used.
        StorageError: if writing fails.
    """
    clock = time.perf_counter()
    require(images >= 1, "images", images, "1 or more")
    predictor = load(reference, device)
    require_attention(predictor.model)
    choice = Choice.of(predictor.model.config, layers, heads)
    folder = InspectionFolder.prepare(Path(out), overwrite)
    chosen = _chosen(predictor, data, seed, listener)
    looked = None if chosen is None else _look(predictor, chosen, images, renormalise, listener)
    figures, notes = _figures(predictor, looked)
    attended: list[Attended] = []
    if chosen is not None and looked is not None:
        attended = _attend(predictor, looked, choice, listener)
        notes += _left_out(looked, attended) + _bad_notes(chosen)
    files = {name: content for figure in figures for name, content in figure.files().items()}
    settings = {"seed": seed, "renormalise": renormalise, "layers": choice.layers, "heads": choice.heads}
    names, seconds = (folder.page.name, *files), time.perf_counter() - clock
    inspection = Inspection(predictor.path, folder.path, chosen, looked, tuple(notes), names, settings, seconds)
    page = _page(predictor, inspection, choice, [figure.panel for figure in figures], attended)
    folder.write(render_inspection(page), inspection.to_json(), files)
    return inspection


def largest_grid(predictor: Predictor) -> Grid:
    """Find the grid of the largest images that a model is shown.

    Args:
        predictor: the model.

    Returns:
        Rows and columns of patches.
    """
    height, width = predictor.spec.size_for(*predictor.spec.size[::-1])
    return predictor.model.config.grid_of((1, predictor.model.config.in_chans, height, width))


def batch_size_for(heads: int, tokens: int) -> int:
    """Choose how many images are looked at together.

    Args:
        heads: of the model.
        tokens: of an image.

    Returns:
        A power of two, 4 … 32: CKA takes 4, and more is no faster.
    """
    return int(min(32, max(4, 2 ** int(log2(max(1, BATCH_BYTES / (8 * heads * tokens**2)))))))


def _chosen(predictor: Predictor, data: Reference | None, seed: int, listener: Listener) -> Chosen | None:
    """Find the images; without a reference, those that the model was trained on, if they are still there."""
    if data is not None:
        return choose_images(data, seed)
    known = predictor.record.data.get("reference")
    if not known:
        return None
    try:
        chosen = choose_images(known, seed)
    except DataError:
        listener(Note(f"{known}, which the model was trained on, is not there; only its weights are drawn", True))
        return None
    listener(Note(f"looking at images of {known}, which the model was trained on"))
    return chosen


def _look(predictor: Predictor, chosen: Chosen, wanted: int, renormalise: bool, listener: Listener) -> Looked:
    """Show images to the model, and keep the first few."""
    model, spec = predictor.model, predictor.spec
    rows, columns = largest_grid(predictor)
    size = batch_size_for(model.config.block.num_heads, model.config.tokens.count + rows * columns)
    total = min(wanted, len(chosen.order))
    survey, names, first = Survey(model, renormalise), list[str](), list[tuple[str, Pixels]]()
    listener(Advanced("images", 0, total))
    with closing(chosen.batches(spec, wanted, size)) as batches:
        for batch in batches:
            survey.add(torch.from_numpy(spec.normalise(batch.pixels)).to(predictor.device))
            names += batch.names
            first += zip(batch.names, np.asarray(batch.pixels), strict=True)
            del first[MOST:]
            listener(Advanced("images", len(names), total))
    for name, reason in chosen.bad[:NAMED]:
        listener(Note(f"left out: {name}: {reason}", warning=True))
    if len(chosen.bad) > NAMED:
        listener(Note(f"left out: {len(chosen.bad) - NAMED:,} more images that cannot be used", warning=True))
    if not names:
        why = f"; the first: {chosen.bad[0][1]}" if chosen.bad else ""
        raise DataError(f"not one image of {chosen.reference} can be used{why}", hint="`vitrail check` lists them all")
    findings = survey.findings()
    if not all(bool(one.isfinite().all()) for one in (findings.entropy, *findings.norms)):
        raise WeightsError(
            f"{predictor.path} computes numbers that are not finite",
            hint="its training diverged, or its file is damaged",
        )
    return Looked(findings, trend_of(findings), artefacts_of(findings), names, first)


def _figures(predictor: Predictor, looked: Looked | None) -> tuple[list[Figure], list[str]]:
    """Draw what was found in images and what the weights alone show, and say what could not be drawn."""
    model, grid = predictor.model, largest_grid(predictor)
    figures, notes = figures_of_weights(model, grid)
    if looked is None:
        return figures, [*notes, "what takes images: none were given, and those it was trained on are not known"]
    drawn, missing = figures_of_images(looked.findings, looked.names, model, grid, looked.artefacts)
    placed = sorted(drawn + figures, key=lambda figure: FIGURES.index(figure.panel.name))
    return placed, notes + missing


def _attend(predictor: Predictor, looked: Looked, choice: Choice, listener: Listener) -> list[Attended]:
    listener(Advanced("attention for the page", 0, 1))
    attended = attended_images(predictor, looked.first, choice)
    listener(Advanced("attention for the page", 1, 1))
    return attended


def _left_out(looked: Looked, attended: list[Attended]) -> list[str]:
    count, all_of_them = len(attended), len(looked.names)
    notes = []
    if count < all_of_them:
        notes.append(f"attention that can be explored: of {count} of {all_of_them:,} images, to keep the page small")
    if attended[0].step > 1:
        notes.append(f"attention that can be explored: patches are joined {attended[0].step} × {attended[0].step}")
    return notes


def _bad_notes(chosen: Chosen) -> list[str]:
    named = [f"{as_text(name)}: {as_text(reason)}" for name, reason in chosen.bad[:NAMED]]
    more = len(chosen.bad) - NAMED
    return [*named, f"{more:,} more images that cannot be used; inspection.json lists them all"] if more > 0 else named


def _page(
    predictor: Predictor, inspection: Inspection, choice: Choice, panels: list[Panel], attended: list[Attended]
) -> InspectionData:
    config, looked, chosen = predictor.model.config, inspection.looked, inspection.chosen
    rows, columns = largest_grid(predictor)
    figures = {"Layers": f"{config.depth}", "Heads": f"{config.block.num_heads}", "Patches": f"{rows} × {columns}"}
    if looked is not None and chosen is not None:
        figures |= {
            "Images": f"{len(looked.names):,}",
            "Artefacts": percent(looked.artefacts.share, 2) if looked.artefacts.share else "none",
        }
    where = "" if chosen is None else f" · {os.path.basename(chosen.reference.rstrip(os.sep)) or chosen.reference}"
    return InspectionData(
        title=as_text(f"{_name(inspection.model)}{where}{f' ({chosen.split})' if chosen and chosen.split else ''}"),
        verdict="" if looked is None else VERDICTS[looked.trend.verdict],
        sentences=inspection.sentences,
        figures=figures,
        panels=tuple(panels),
        attended=tuple(attended),
        layers=choice.layers,
        heads=choice.heads,
        prefix=prefix_names(config.tokens),
        notes=inspection.notes,
    )


def _name(model: Path) -> str:
    """Call a model by its folder where its file is called as all are."""
    return model.parent.name if model.stem == "model" and model.parent.name else model.name
