"""The models there are, with what they cost, and the published weights, with how good they are."""

from __future__ import annotations

from typing import Any

from vitrail.bench.cost import count_cost
from vitrail.core.errors import ConfigError
from vitrail.core.table import did_you_mean
from vitrail.models.builders import list_models
from vitrail.models.config import ViTConfig
from vitrail.models.variants import VARIANTS, variant_fields
from vitrail.weights.catalogue import PRETRAINED, list_pretrained
from vitrail.weights.reference import is_variant


def list_costs(pattern: str = "*") -> list[dict[str, Any]]:
    """List variants with parameters, MACs, tokens and image size.

    Args:
        pattern: shell pattern, a word that names contain, or a short name such as "B/16".

    Returns:
        One record a variant: name, parameters, macs, tokens, image_size.

    Raises:
        ConfigError: if no name fits.
    """
    names = list_models(pattern) or ([pattern] if is_variant(pattern) else [])
    if not names:
        raise ConfigError(
            f"no model fits {pattern!r}",
            hint=did_you_mean(pattern, VARIANTS, "leave the pattern out; published weights: --pretrained"),
        )
    rows = []
    for name in names:
        config = ViTConfig.of(**variant_fields(name))
        cost = count_cost(config)
        rows.append(
            {
                "name": name,
                "parameters": cost.parameters,
                "macs": cost.macs,
                "tokens": cost.tokens,
                "image_size": list(config.image_size),
            }
        )
    return rows


def list_published(pattern: str = "*") -> list[dict[str, Any]]:
    """List published weights; nothing is asked of the Hub.

    Args:
        pattern: shell pattern, or a word that names contain.

    Returns:
        One record a row of `PRETRAINED`: name, repo, parameters, image_size, classes, licence, top1 and source (both
        None where no figure is known).

    Raises:
        ConfigError: if no name fits.
    """
    names = list_pretrained(pattern)
    if not names:
        raise ConfigError(
            f"no published weights fit {pattern!r}", hint=did_you_mean(pattern, PRETRAINED, "leave the pattern out")
        )
    return [
        {
            "name": name,
            "repo": row.repo,
            "parameters": row.parameters,
            "image_size": list(row.spec.size),
            "classes": row.classes,
            "licence": row.licence,
            "top1": row.top1,
            "source": row.source or None,
        }
        for name, row in ((name, PRETRAINED[name]) for name in names)
    ]
