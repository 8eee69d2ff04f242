"""The attention weights of every block, for any model of the library, without hooks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.analysis.modes import evaluating
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.attention_weights import run_block
from vitrail.nn.block import Block
from vitrail.nn.shapes import Grid, Images, Scores, Tokens


@dataclass(frozen=True)
class Layer:
    """Hold what happens in one block.

    Args:
        weights: (images, heads, tokens, tokens) of its attention.
        tokens: (images, tokens, dim) that leave it.
    """

    weights: Scores
    tokens: Tokens


def attention_weights(model: VisionTransformer, images: Images) -> Iterator[Scores]:
    """Walk through a model and compute the attention weights of one block after another.

    The tokens go on with what these weights make, not the fused kernel, whose rounding errors a later softmax would
    magnify; only one block's weights are held at a time. Dropout is off, whatever the model's mode, which is left as it
    was.

    Args:
        model: any Vision Transformer of the library.
        images: normalised pixels, of a size that the model takes, on its device.

    Returns:
        (images, heads, tokens, tokens) of each block, first block first; the class token, where there is one, is the
        first token. No gradients.

    Raises:
        ConfigError: if the images have a shape that the model does not take.
    """
    return (layer.weights for layer in walk(model, entering_tokens(model, images), model.config.grid_of(images.shape)))


def entering_tokens(model: VisionTransformer, images: Images) -> Tokens:
    """Compute the tokens that enter the first block, dropout off.

    Args:
        model: any Vision Transformer of the library.
        images: as for `attention_weights`.

    Returns:
        (images, tokens, dim). No gradients.

    Raises:
        ConfigError: if the images have a shape that the model does not take.
    """
    with evaluating(model), torch.no_grad():
        return model.embed(images)


def walk(model: VisionTransformer, x: Tokens, grid: Grid) -> Iterator[Layer]:
    """Walk through the blocks, one after another, as `attention_weights` does.

    Args:
        model: any Vision Transformer of the library.
        x: the tokens that enter the first block.
        grid: rows and columns of patches.

    Yields:
        What happens in each block, first block first. No gradients.
    """
    for one, position in zip(model.blocks, model.position.by_layer, strict=True):
        with evaluating(model), torch.no_grad():
            weights, x = run_block(cast(Block, one), x, position, grid)
        yield Layer(weights, x)


def read_weights(model: VisionTransformer, images: Images) -> Float[Tensor, "images tokens"]:
    """Compute what part of what the head reads comes from each token that leaves the last block.

    Args:
        model: any Vision Transformer of the library.
        images: as for `attention_weights`.

    Returns:
        Weights that sum to 1 for each image, as the model's pooling has them: the class token alone, every patch alike,
        or what attention pooling takes from each.
    """
    with evaluating(model), torch.no_grad():
        tokens = model.forward_features(images)
        return model.config.pool.reads(model.attn_pool, tokens, model.config.tokens.count)
