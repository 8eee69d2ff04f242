"""A running mean of the weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class WeightAverage:
    """Keep an exponential moving average of a model's weights; buffers are copied.

    Args:
        model: whose weights are averaged.
        decay: 0 ≤ decay < 1. Early on a smaller one is used, (1 + n) / (10 + n) after n updates, so that the random
            start is forgotten.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, updates: int) -> None:
        """Take in the weights after one step.

        Args:
            model: the model that learns.
            updates: how many updates came before.
        """
        decay = min(self.decay, (1 + updates) / (10 + updates))
        ours: list[torch.Tensor] = list(self.model.parameters())
        theirs = [parameter.detach() for parameter in model.parameters()]
        torch._foreach_lerp_(ours, theirs, 1 - decay)
        for mine, other in zip(self.model.buffers(), model.buffers(), strict=True):
            mine.copy_(other)
