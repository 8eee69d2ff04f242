"""The attention weights of every block, for any model of the library, without hooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.attention_weights import attend
from vitrail.nn.block import Block
from vitrail.nn.shapes import Images, Scores


def attention_weights(model: VisionTransformer, images: Images) -> Iterator[Scores]:
    """Walk through a model and compute the attention weights of one block after another.

    The tokens go on with what these weights make, not the fused kernel, whose rounding errors a later softmax would
    magnify; only one block's weights are held at a time. Dropout is off, whatever the model's mode, which is left as it
    was.

    Args:
        model: any Vision Transformer of the library.
        images: normalised pixels, of a size that the model takes, on its device.

    Yields:
        (images, heads, tokens, tokens) of each block, first block first; the class token, where there is one, is the
        first token. No gradients.

    Raises:
        ConfigError: if the images have a shape that the model does not take.
    """
    grid = model.config.grid_of(images.shape)
    with _evaluating(model), torch.no_grad():
        x = model.embed(images)
    for one, position in zip(model.blocks, model.position.by_layer, strict=True):
        block = cast(Block, one)
        with _evaluating(model), torch.no_grad():
            x = position.enter(x, grid)
            weights, attended = attend(block.attn, block.norm1(x), position, grid)
            x = x + block.ls1(attended)
            x = x + block.ls2(block.mlp(block.norm2(x)))
        yield weights


def read_weights(model: VisionTransformer, images: Images) -> Float[Tensor, "images tokens"]:
    """Compute what part of what the head reads comes from each token that leaves the last block.

    Args:
        model: any Vision Transformer of the library.
        images: as for `attention_weights`.

    Returns:
        Weights that sum to 1 for each image, as the model's pooling has them: the class token alone, every patch alike,
        or what attention pooling takes from each.
    """
    with _evaluating(model), torch.no_grad():
        tokens = model.forward_features(images)
        return model.config.pool.reads(model.attn_pool, tokens, model.config.tokens.count)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
