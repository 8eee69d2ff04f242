"""See inside a model: attention and what is made of it, positions, filters, features by layer.

Numbers only; nothing is imported before it is used.
"""

from typing import TYPE_CHECKING

from vitrail.core.lazy import lazy_names

if TYPE_CHECKING:
    from vitrail.analysis.cka import LinearCKA, linear_cka
    from vitrail.analysis.distance import attention_distance
    from vitrail.analysis.entropy import attention_entropy
    from vitrail.analysis.faithfulness import Curves, Faithfulness, measure_faithfulness
    from vitrail.analysis.filters import Filters, patch_filters
    from vitrail.analysis.gradients import AttentionGradients, attention_gradients
    from vitrail.analysis.integrated import Integrated, integrated_gradients
    from vitrail.analysis.maps import AttentionMaps, attention_maps, head_maps, patch_map
    from vitrail.analysis.norms import high_norm_tokens, token_norms
    from vitrail.analysis.positions import PositionBias, PositionTiles, position_bias, position_similarity
    from vitrail.analysis.relevance import attention_relevance, gradient_attention
    from vitrail.analysis.rollout import attention_rollout
    from vitrail.analysis.similarity import token_similarity
    from vitrail.analysis.survey import Findings, Survey
    from vitrail.analysis.trend import Trend, depth_trend
    from vitrail.analysis.weights import attention_weights, read_weights

__all__ = [
    "AttentionGradients",
    "AttentionMaps",
    "Curves",
    "Faithfulness",
    "Filters",
    "Findings",
    "Integrated",
    "LinearCKA",
    "PositionBias",
    "PositionTiles",
    "Survey",
    "Trend",
    "attention_distance",
    "attention_entropy",
    "attention_gradients",
    "attention_maps",
    "attention_relevance",
    "attention_rollout",
    "attention_weights",
    "depth_trend",
    "gradient_attention",
    "head_maps",
    "high_norm_tokens",
    "integrated_gradients",
    "linear_cka",
    "measure_faithfulness",
    "patch_filters",
    "patch_map",
    "position_bias",
    "position_similarity",
    "read_weights",
    "token_norms",
    "token_similarity",
]

_HOMES = {
    "AttentionGradients": "vitrail.analysis.gradients",
    "AttentionMaps": "vitrail.analysis.maps",
    "Curves": "vitrail.analysis.faithfulness",
    "Faithfulness": "vitrail.analysis.faithfulness",
    "Filters": "vitrail.analysis.filters",
    "Findings": "vitrail.analysis.survey",
    "Integrated": "vitrail.analysis.integrated",
    "LinearCKA": "vitrail.analysis.cka",
    "PositionBias": "vitrail.analysis.positions",
    "PositionTiles": "vitrail.analysis.positions",
    "Survey": "vitrail.analysis.survey",
    "Trend": "vitrail.analysis.trend",
    "attention_distance": "vitrail.analysis.distance",
    "attention_entropy": "vitrail.analysis.entropy",
    "attention_gradients": "vitrail.analysis.gradients",
    "attention_maps": "vitrail.analysis.maps",
    "attention_relevance": "vitrail.analysis.relevance",
    "attention_rollout": "vitrail.analysis.rollout",
    "attention_weights": "vitrail.analysis.weights",
    "depth_trend": "vitrail.analysis.trend",
    "gradient_attention": "vitrail.analysis.relevance",
    "head_maps": "vitrail.analysis.maps",
    "high_norm_tokens": "vitrail.analysis.norms",
    "integrated_gradients": "vitrail.analysis.integrated",
    "linear_cka": "vitrail.analysis.cka",
    "measure_faithfulness": "vitrail.analysis.faithfulness",
    "patch_filters": "vitrail.analysis.filters",
    "patch_map": "vitrail.analysis.maps",
    "position_bias": "vitrail.analysis.positions",
    "position_similarity": "vitrail.analysis.positions",
    "read_weights": "vitrail.analysis.weights",
    "token_norms": "vitrail.analysis.norms",
    "token_similarity": "vitrail.analysis.similarity",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
