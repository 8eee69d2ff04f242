"""See inside a model: attention, rollout, distance, maps. Numbers only; nothing is imported before it is used."""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.analysis.distance import attention_distance
    from vitrail.analysis.gradients import AttentionGradients, attention_gradients
    from vitrail.analysis.integrated import Integrated, integrated_gradients
    from vitrail.analysis.maps import AttentionMaps, attention_maps, head_maps, patch_map
    from vitrail.analysis.relevance import attention_relevance, gradient_attention
    from vitrail.analysis.rollout import attention_rollout
    from vitrail.analysis.weights import attention_weights, read_weights

__all__ = [
    "AttentionGradients",
    "AttentionMaps",
    "Integrated",
    "attention_distance",
    "attention_gradients",
    "attention_maps",
    "attention_relevance",
    "attention_rollout",
    "attention_weights",
    "gradient_attention",
    "head_maps",
    "integrated_gradients",
    "patch_map",
    "read_weights",
]

_HOMES = {
    "AttentionGradients": "vitrail.analysis.gradients",
    "AttentionMaps": "vitrail.analysis.maps",
    "Integrated": "vitrail.analysis.integrated",
    "attention_distance": "vitrail.analysis.distance",
    "attention_gradients": "vitrail.analysis.gradients",
    "attention_maps": "vitrail.analysis.maps",
    "attention_relevance": "vitrail.analysis.relevance",
    "attention_rollout": "vitrail.analysis.rollout",
    "attention_weights": "vitrail.analysis.weights",
    "gradient_attention": "vitrail.analysis.relevance",
    "head_maps": "vitrail.analysis.maps",
    "integrated_gradients": "vitrail.analysis.integrated",
    "patch_map": "vitrail.analysis.maps",
    "read_weights": "vitrail.analysis.weights",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
