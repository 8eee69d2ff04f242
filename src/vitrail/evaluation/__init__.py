"""Figures of merit: generators of (name, value). Nothing is imported before it is used."""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.evaluation.least_squares import few_shot

__all__ = ["few_shot"]

_HOMES = {"few_shot": "vitrail.evaluation.least_squares"}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
