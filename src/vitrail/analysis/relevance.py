"""Attention weighted by its gradient: what of the attention speaks for a class."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.analysis.gradients import Classes, attention_gradients
from vitrail.analysis.maps import patch_map, require_attention
from vitrail.analysis.shapes import Attention, Maps, as_attention
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Images


def attention_relevance(
    attentions: Iterable[Attention], gradients: Iterable[Attention]
) -> Float[Tensor, "images tokens tokens"]:
    """Follow relevance through all blocks, by the part of attention that raises a score.

    Args:
        attentions: (images, heads, tokens, tokens) of each block, first block first.
        gradients: of the score by these.

    Returns:
        (images, tokens, tokens) float64, 0 or more: row = output token, column = input token; the identity, which each
        token begins with, is included.

    Raises:
        ConfigError: if there is no block, or shapes do not agree.

    Source:
        Chefer, Gur and Wolf 2021 (arXiv 2103.15679), equations 5 and 6 for self-attention: R ← R + Ā R from R = I, with
        Ā the mean over heads of (∇A ⊙ A)⁺.
    """
    relevance: Tensor | None = None
    for attention, gradient in zip(attentions, gradients, strict=True):
        weights, slope = as_attention(attention), as_attention(gradient)
        if weights.shape != slope.shape or (relevance is not None and relevance.shape[1:] != weights.shape[2:]):
            raise ConfigError(f"shapes do not agree: attention {tuple(weights.shape)}, gradient {tuple(slope.shape)}")
        gain = (weights * slope).clamp_min(0).mean(dim=1)
        start = torch.eye(gain.shape[-1], dtype=gain.dtype).expand_as(gain)
        relevance = start + gain if relevance is None else relevance + gain @ relevance
    if relevance is None:
        raise ConfigError("there is no attention to follow", hint="give the attention of one block or more")
    return relevance


def gradient_attention(model: VisionTransformer, images: Images, target: Classes) -> Maps:
    """Compute what of the attention speaks for a class.

    Args:
        model: any Vision Transformer of the library that classifies images.
        images: normalised pixels, of a size that the model takes, on its device.
        target: the class that is asked about, for each image.

    Returns:
        (images, rows, columns) float64, 0 or more; only ratios within an image mean anything.

    Raises:
        ConfigError: if the model has no block or no such class, or does not take images of this shape.

    Source:
        As `attention_relevance`. The paper reads the class token's row. Here it is the rows that the head reads, as it
        weighs them: the patches' where these are pooled, both tokens' where two heads are averaged (DeiT). The paper's
        row includes what the identity adds to the token itself, which is no patch; for pooled patches it adds the same
        to each, and is left out.
    """
    require_attention(model)
    found = attention_gradients(model, images, target)
    relevance = attention_relevance(found.attentions, found.gradients)
    own = torch.eye(relevance.shape[-1], dtype=relevance.dtype)
    return patch_map(relevance - own, model.config.grid_of(images.shape), found.read.cpu())
