"""Attention entropy: how widely a head spreads its attention."""

from __future__ import annotations

import math

import torch

from vitrail.analysis.shapes import Attention, PerHead, as_attention


def attention_entropy(attention: Attention, fraction: bool = False) -> PerHead:
    """Average the entropy of what tokens attend to.

    Args:
        attention: (images, heads, tokens, tokens) of one block; every token counts, as query and as key.
        fraction: divide by the largest value there is, ln tokens, that of uniform attention; with one token, 0.

    Returns:
        (heads,) float64, nats, or 0 … 1: mean over images and queries of −Σ a ln a, where 0 ln 0 = 0.

    Raises:
        ConfigError: if attention has another shape.

    Source:
        Shannon 1948; on attention such as Zhai et al. 2023 (arXiv 2303.06296), who find low entropy where training is
        about to diverge.
    """
    weights = as_attention(attention)
    entropy = torch.special.entr(weights).sum(dim=-1).mean(dim=(0, 2))
    return entropy / math.log(weights.shape[-1]) if fraction and weights.shape[-1] > 1 else entropy
