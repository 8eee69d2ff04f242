"""Attention rollout: how much of each input token is in each output token, if only attention mixed them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.analysis.shapes import Attention, as_attention
from vitrail.core.errors import ConfigError


def attention_rollout(attentions: Iterable[Attention]) -> Float[Tensor, "images tokens tokens"]:
    """Multiply the attention of all blocks, the residual connection counted as half.

    Args:
        attentions: (images, heads, tokens, tokens) of each block, first block first; consumed one at a time.

    Returns:
        (images, tokens, tokens) float64: row = output token, column = input token; rows sum to 1.

    Raises:
        ConfigError: if there is no block, or shapes do not agree.

    Source:
        Abnar and Zuidema 2020 (arXiv 2005.00928), section 3: R_l = Â_l R_{l-1}, R_0 = I, Â = ½A + ½I with A the mean
        over heads, rows normalised.
    """
    rollout: Tensor | None = None
    for attention in attentions:
        mean = as_attention(attention).mean(dim=1)
        if rollout is not None and rollout.shape != mean.shape:
            raise ConfigError(f"blocks differ in images or tokens: {tuple(rollout.shape)} and {tuple(mean.shape)}")
        mixed = 0.5 * mean + 0.5 * torch.eye(mean.shape[-1], dtype=mean.dtype)
        mixed = mixed / mixed.sum(dim=-1, keepdim=True)
        rollout = mixed if rollout is None else mixed @ rollout
    if rollout is None:
        raise ConfigError("there is no attention to roll out", hint="give the attention of one block or more")
    return rollout
