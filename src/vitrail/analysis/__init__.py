"""See inside a model: attention, rollout, distance, maps. Numbers only; nothing is imported before it is used."""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.analysis.distance import attention_distance
    from vitrail.analysis.maps import AttentionMaps, attention_maps, patch_map
    from vitrail.analysis.rollout import attention_rollout
    from vitrail.analysis.weights import attention_weights, read_weights

__all__ = [
    "AttentionMaps",
    "attention_distance",
    "attention_maps",
    "attention_rollout",
    "attention_weights",
    "patch_map",
    "read_weights",
]

_HOMES = {
    "AttentionMaps": "vitrail.analysis.maps",
    "attention_distance": "vitrail.analysis.distance",
    "attention_maps": "vitrail.analysis.maps",
    "attention_rollout": "vitrail.analysis.rollout",
    "attention_weights": "vitrail.analysis.weights",
    "patch_map": "vitrail.analysis.maps",
    "read_weights": "vitrail.analysis.weights",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
