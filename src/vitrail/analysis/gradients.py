"""The attention weights of every block together with what a class gains by them: their gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from vitrail.analysis.modes import evaluating
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.attention_weights import run_block
from vitrail.nn.block import Block
from vitrail.nn.shapes import Images, Scores, Tokens

Classes: TypeAlias = Int[Tensor, " images"]
"""Number of a class for each image."""


@dataclass(frozen=True)
class AttentionGradients:
    """Hold the attention of some images, and how a logit of each changes with it.

    Args:
        attentions: (images, heads, tokens, tokens) of each block, first block first.
        gradients: of the logit by these, of the same shapes.
        logits: (images, classes), by the weights written out.
        read: (images, tokens) what part of what the head reads comes from each token; sums to 1.
    """

    attentions: tuple[Scores, ...]
    gradients: tuple[Scores, ...]
    logits: Float[Tensor, "images classes"]
    read: Float[Tensor, "images tokens"]


def attention_gradients(model: VisionTransformer, images: Images, target: Classes) -> AttentionGradients:
    """Compute the attention weights of every block, and the gradient of a class's logit by them.

    The weights of all blocks are held at once, as a gradient needs them. No gradient is left in the parameters, and the
    model's mode is what it was.

    Args:
        model: any Vision Transformer of the library that classifies images.
        images: normalised pixels, of a size that the model takes, on its device.
        target: the class whose logit is asked about, for each image.

    Returns:
        Weights, gradients and logits, on the model's device.

    Raises:
        ConfigError: if the model has no block, is no classifier, has no such class, or does not take these images.
    """
    require_class(model, target)
    grid = model.config.grid_of(images.shape)
    attentions: list[Scores] = []
    with evaluating(model), torch.enable_grad():
        with torch.no_grad():
            x = model.embed(images)
        x.requires_grad_()  # so that there is a graph even where every parameter is frozen
        for one, position in zip(model.blocks, model.position.by_layer, strict=True):
            weights, x = run_block(cast(Block, one), x, position, grid)
            attentions.append(weights)
        tokens = model.norm(x)
        logits = cast(Tensor, model.forward_head(tokens))
        chosen = logits.gather(1, target.to(logits.device)[:, None]).sum()
        gradients = torch.autograd.grad(chosen, attentions)
    with torch.no_grad():
        read = _read(model, tokens)
    return AttentionGradients(
        tuple(one.detach() for one in attentions), gradients, logits.detach(), read.to(logits.dtype)
    )


def require_class(model: VisionTransformer, target: Classes) -> None:
    """Refuse a class that the model does not know.

    Args:
        model: any Vision Transformer of the library.
        target: numbers of classes.

    Raises:
        ConfigError: if one of them is none of the model's, or the model does not classify images.
    """
    count = model.config.num_classes
    if not count or model.config.pool.per_token:
        raise ConfigError("this model has no class to ask about", hint="a map of attention needs none")
    wrong = target[(target < 0) | (target >= count)].tolist()
    if wrong:
        raise ConfigError(f"target = {wrong[0]} is not allowed; allowed: 0 … {count - 1}")


def _read(model: VisionTransformer, tokens: Tokens) -> Float[Tensor, "images tokens"]:
    """Say what the answer is read from: as the pooling has it, or both tokens where it is the mean of two heads."""
    read = model.config.pool.reads(model.attn_pool, tokens, model.config.tokens.count)
    if model.head_dist is not None:
        read[:, :2] = 0.5
    return read
