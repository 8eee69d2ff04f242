"""What a model reference stands for: a run folder, weights, those on the Hub, or the bare name of a variant."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vitrail.core.errors import ConfigError, WeightsError
from vitrail.core.table import did_you_mean
from vitrail.models.variants import VARIANTS, variant_fields

MODEL_NAME = "model.safetensors"
CONFIG_NAME = "config.json"
WEIGHT_NAMES = (MODEL_NAME, "pytorch_model.bin")
"""Names of whole models beside `config.json`, the preferred one first; "NAME.index.json" lists the parts of one."""

HUB_PREFIX = "hf:"

Reference = str | os.PathLike[str]


def model_path(reference: Reference) -> Path:
    """Find the model file that a reference stands for.

    Args:
        reference: a run folder, a model file, a folder of weights, "hf:owner/name", or a row of `PRETRAINED`; the
            last two may be followed by "@revision".

    Returns:
        Path of an existing file, or of a folder with `config.json` and weights, as Hugging Face and timm write them.

    Raises:
        WeightsError: if there is none: a variant has no trained weights, or nothing has this name.
        StorageError: if the cache of the Hub cannot be written.
    """
    if str(reference).startswith(HUB_PREFIX):
        from vitrail.weights.hub import HubReference, fetch

        return fetch(HubReference.parse(str(reference)))
    path = Path(reference)
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        siblings = [] if is_folder or is_file or not path.parent.is_dir() else list(path.parent.iterdir())
    except OSError as error:
        raise WeightsError(f"{reference}: {error.strerror}", hint="give a run folder or a model file") from error
    if is_folder:
        if is_weight_folder(path):
            return path
        if (path / MODEL_NAME).is_file():
            return path / MODEL_NAME
        raise WeightsError(
            f"{path}: a folder without {MODEL_NAME}", hint="give a run folder that `vitrail fit` wrote, or a model file"
        )
    if is_file:
        return path
    return _published(str(reference), [str(sibling) for sibling in siblings])


def _published(reference: str, siblings: Sequence[str]) -> Path:
    """Fetch what is no path but may be a name of the catalogue; say what it is instead, or is like."""
    from vitrail.weights.catalogue import PRETRAINED, find_pretrained, pretrained_of
    from vitrail.weights.hub import HubReference, fetch

    name, _, revision = reference.partition("@")
    found = find_pretrained(name)
    if found is not None:
        return fetch(HubReference(found.repo, revision or None))
    if is_variant(reference):
        trained = pretrained_of(reference)
        published = f"published are {', '.join(trained)}; or " if trained else ""
        raise WeightsError(
            f"{reference} is a variant: an architecture without trained weights and classes",
            hint=f"{published}train one with `vitrail fit DATA --model {reference}` and give its run folder",
        )
    known = [*siblings, *VARIANTS, *PRETRAINED, *(f"timm/{name}" for name in PRETRAINED if "/" in reference)]
    hint = did_you_mean(reference, known, "give a run folder, a model file, or hf:owner/name")
    raise WeightsError(f"{reference}: no such run folder, model file, variant or published weights", hint=hint)


def is_weight_folder(path: Path) -> bool:
    """Say whether a folder is one of weights with their `config.json`, as Hugging Face and timm write them.

    Args:
        path: a folder.

    Returns:
        False for a run folder and any other.
    """
    names = [name for weights in WEIGHT_NAMES for name in (weights, f"{weights}.index.json")]
    return (path / CONFIG_NAME).is_file() and any((path / name).is_file() for name in names)


def is_variant(reference: Reference) -> bool:
    """Say whether a reference is the name of a variant.

    Args:
        reference: anything.

    Returns:
        True if `create_model` knows it.
    """
    try:
        variant_fields(str(reference))
    except ConfigError:
        return False
    return True
