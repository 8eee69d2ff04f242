"""What a model looks at in an image: one number a patch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.analysis.rollout import attention_rollout
from vitrail.analysis.shapes import Maps, as_attention
from vitrail.analysis.weights import attention_weights, read_weights
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Grid, Images, Scores


@dataclass(frozen=True)
class AttentionMaps:
    """Hold what a model looks at in some images.

    Args:
        last: (images, rows, columns) float64, attention of the last block, mean over heads.
        rollout: (images, rows, columns) float64, attention rollout over all blocks.
        query: who looks, in words: "the class token"; for models that pool the patches, "all patches, on average", or
            weighted by attention pooling.
    """

    last: Maps
    rollout: Maps
    query: str


def attention_maps(model: VisionTransformer, images: Images) -> AttentionMaps:
    """Compute what a model looks at, by the attention of its last block and by rollout.

    Args:
        model: any Vision Transformer of the library.
        images: normalised pixels, of a size that the model takes, on its device.

    Returns:
        The maps. Each number is the share of attention that a patch gets; what goes to tokens before the patches is
        left out, so a map sums to 1 at most.

    Raises:
        ConfigError: if the model has no block, or does not take images of this shape.
    """
    require_attention(model)
    grid = model.config.grid_of(images.shape)
    last: list[Scores] = []

    def keep_last() -> Iterator[Scores]:
        for weights in attention_weights(model, images):
            last[:] = [weights]
            yield weights

    rollout = attention_rollout(keep_last())
    pool, read = model.config.pool, read_weights(model, images)
    return AttentionMaps(
        last=patch_map(as_attention(last[0]).mean(dim=1), grid, read),
        rollout=patch_map(rollout, grid, read),
        query="the class token" if pool.needs_class_token else pool.reader,
    )


def require_attention(model: VisionTransformer) -> None:
    """Refuse a model without attention.

    Args:
        model: any Vision Transformer of the library.

    Raises:
        ConfigError: if it has no block.
    """
    if not model.config.depth:
        raise ConfigError("the model has no attention: its depth is 0", hint="give a model of one block or more")


def head_maps(model: VisionTransformer, images: Images, layer: int) -> Float[Tensor, "images heads rows columns"]:
    """Compute what each head of one layer looks at.

    Args:
        model: any Vision Transformer of the library.
        images: normalised pixels, of a size that the model takes, on its device.
        layer: number of the block, from 0.

    Returns:
        float64: share of attention that each patch gets, by the tokens that the head of the model reads.

    Raises:
        ConfigError: if the model has no such block, or does not take images of this shape.
    """
    require_attention(model)
    if not 0 <= layer < model.config.depth:
        raise ConfigError(f"layer = {layer} does not exist; this model has 0 … {model.config.depth - 1}")
    weights = as_attention(next(islice(attention_weights(model, images), layer, None)))
    read, grid = read_weights(model, images), model.config.grid_of(images.shape)
    return torch.stack([patch_map(head, grid, read) for head in weights.unbind(1)], dim=1)


def patch_map(
    attention: Float[Tensor, "images tokens tokens"], grid: Grid, read: Float[Tensor, "images tokens"]
) -> Maps:
    """Lay out on the grid how much each patch is attended to by what the head reads.

    Args:
        attention: of one head, mean over heads, or a rollout.
        grid: rows and columns of patches.
        read: what part of what the head reads comes from each token, as `read_weights` gives it; the map is the mean of
            the tokens' rows by these weights.

    Returns:
        (images, rows, columns): shares, which sum to 1 at most.
    """
    prefix = attention.shape[-1] - grid[0] * grid[1]
    rows = torch.einsum("iq,iqk->ik", read.to(attention), attention)
    return rows[:, prefix:].reshape(-1, *grid)
