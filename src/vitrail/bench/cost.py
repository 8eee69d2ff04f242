"""Parameters and multiply-accumulates (MACs) of a model, counted without running it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch.utils.flop_counter import FlopCounterMode

from vitrail.models.config import ViTConfig
from vitrail.models.vision_transformer import VisionTransformer


@dataclass(frozen=True)
class Cost:
    """Hold what one forward pass of one image costs.

    Args:
        parameters: number of weights.
        macs: multiply-accumulates in matrix products and convolutions; FLOPs are twice that.
        tokens: length of the sequence.
    """

    parameters: int
    macs: int
    tokens: int


def count_cost(config: ViTConfig) -> Cost:
    """Count what a model costs, on the meta device, so that nothing is allocated or computed.

    Every block costs the same, so two shallow models are counted and the line through them is followed.

    Args:
        config: the model.

    Returns:
        Exact counts. MACs are those of matrix products only (normalisation, softmax and additions are left out).

    Source:
        The counting of torch's `FlopCounterMode`; equals the closed form L·(T(4D² + 2DM) + 2T²D) of a plain ViT.
    """
    zero = _count(replace(config, depth=0))
    one = _count(replace(config, depth=1)) if config.depth else zero
    return Cost(
        parameters=zero[0] + config.depth * (one[0] - zero[0]),
        macs=zero[1] + config.depth * (one[1] - zero[1]),
        tokens=config.num_tokens,
    )


def _count(config: ViTConfig) -> tuple[int, int]:
    with torch.device("meta"):
        model = VisionTransformer(config).eval().requires_grad_(False)
        image = torch.empty(1, config.in_chans, *config.image_size)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(image)
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops() // 2
