"""Stochastic depth."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drop a residual branch for some samples while training, and scale the kept ones so that the mean stays.

    Args:
        rate: chance that a sample's branch is dropped, 0 ≤ rate < 1.

    Source:
        Huang et al. 2016 (arXiv 1603.09382), per sample. Not in the ViT paper: it enters with DeiT and AugReg.
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch ..."]:
        if self.rate == 0.0 or not self.training:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask.div_(keep)
