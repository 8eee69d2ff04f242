"""What `fit` trains where no model is named: published weights where they are to be had, a fresh network elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vitrail.core.errors import VitrailError, WeightsError
from vitrail.data.probe import Probe
from vitrail.jobs.choices import MODEL_CHOICES, SAME_NETWORK, START_CHOICES
from vitrail.jobs.events import Listener, Note, silent
from vitrail.train.recipe import Recipe
from vitrail.weights.catalogue import PRETRAINED, Pretrained
from vitrail.weights.hub import HubReference, cached, fetch, reach

if TYPE_CHECKING:
    from vitrail.jobs.plan import Request

PATIENCE_S = 5.0
"""Seconds in which the Hub must answer; a machine without network must not make anybody wait."""
FLOAT_BYTES = 4


def default_model(
    request: Request,
    recipe: Recipe | None,
    settings: Iterable[str],
    probe: Probe,
    device: str,
    earlier: str | None = None,
    listener: Listener = silent,
) -> tuple[str, list[str]]:
    """Choose a model by the size of the images, and published weights where the recipe and the network allow.

    What is in the cache is taken without asking the Hub, so that the same machine gives the same run.

    Args:
        request: what the user asked for; no model.
        recipe: that the user asked for; None for none.
        settings: dotted names of the model's fields that the user sets.
        probe: what the images look like.
        device: "cpu", "cuda" or "mps".
        earlier: what the run that is resumed started from, "" for a fresh network; None for a new run.
        listener: is told of a download before it begins.

    Returns:
        Variant, or reference of weights with their commit; sentences that say why.

    Raises:
        WeightsError: if the recipe is made for trained weights, and there are none.
    """
    cpu = device == "cpu"
    fresh = next(row for row in MODEL_CHOICES if probe.side <= row.side)
    variant = fresh.variant if cpu else fresh.gpu_variant
    suits = f"suits {probe.kind} images of about {probe.side} pixels on {device}"
    scratch = [f"model {variant}: {suits}"]
    tunes = recipe is not None and recipe.tunes
    side = min(probe.side, request.image_size or probe.side)
    start = next(row for row in START_CHOICES if side <= row.side and (row.name or not tunes))
    name = start.name if cpu else start.gpu_name
    if not name or request.variant is not None:
        return variant, scratch
    row = PRETRAINED[name]
    known = f"{name}: {_size(row)}, licence {row.licence}"
    if earlier is not None:
        kept = earlier.startswith(f"{HubReference(row.repo)}@")
        return (earlier, [f"model {known}; as the run began"]) if kept else (variant, scratch)
    why = "" if tunes else _why_scratch(request, recipe, settings, probe)
    if not why:
        try:
            found = cached(HubReference(row.repo)) or _download(row, known, request.offline, listener)
            return str(HubReference.of(found)), [f"model {known}; pretrained: {start.reason}; {suits}"]
        except VitrailError as error:
            if tunes:
                hint = f"{error.hint}; or give a run folder or weights as --model"
                raise WeightsError(f"the recipe is made for trained weights: {error.message}", hint=hint) from error
            why = f"{error.message}; {error.hint}"
    return variant, [*scratch, f"from scratch: {why} (--model {name} starts from weights: {_size(row)}, {row.licence})"]


def _why_scratch(request: Request, recipe: Recipe | None, settings: Iterable[str], probe: Probe) -> str:
    """Say what forbids published weights; "" if nothing does."""
    other = [name for name in settings if not name.startswith(SAME_NETWORK)]
    if other:
        return f"{' and '.join(other)} would make another network of published weights"
    if probe.channels not in (1, 3):
        return f"published weights know colour images, these have {probe.channels} channels"
    if recipe is not None:
        return "the recipe is made for it"
    return "--offline" if request.offline else ""


def _size(row: Pretrained) -> str:
    return f"{row.parameters / 1e6:.1f} million parameters, about {row.parameters * FLOAT_BYTES / 1e6:.0f} MB"


def _download(row: Pretrained, known: str, offline: bool, listener: Listener) -> Path:
    """Fetch weights once the Hub has answered, and say beforehand what they are."""
    reference = HubReference(row.repo)
    if offline:
        raise WeightsError(f"{reference} is not in the cache, and --offline was given", hint="leave --offline out once")
    reach(reference, PATIENCE_S)
    listener(Note(f"downloading {known}, into the cache of huggingface_hub"))
    return fetch(reference)
