"""LAMB against timm's."""

from __future__ import annotations

import copy

import pytest
import torch
from timm.optim import Lamb as TimmLamb
from torch import nn

from vitrail.train.lamb import Lamb
from vitrail.train.optimizer import build_optimizer
from vitrail.train.recipe import OptimizerConfig


def test_against_timm() -> None:
    """Matrices with decay are scaled, biases without are not, and a matrix of zeros is moved as by Adam."""
    ours = nn.ModuleDict({"fc1": nn.Linear(6, 5), "fc2": nn.Linear(5, 4), "head": nn.Linear(4, 3)})
    nn.init.zeros_(ours["head"].weight)
    theirs = copy.deepcopy(ours)
    config = OptimizerConfig(kind="lamb", lr=0.02, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.3)
    mine = build_optimizer(ours, config)
    groups = [
        {"params": [value for name, value in theirs.named_parameters() if name.endswith(end)], "weight_decay": decay}
        for end, decay in (("weight", 0.3), ("bias", 0.0))
    ]
    peer = TimmLamb(groups, lr=0.02, betas=(0.8, 0.95), eps=1e-6, max_grad_norm=None)
    assert type(mine) is Lamb
    for step in range(5):
        for number, (one, other) in enumerate(zip(ours.parameters(), theirs.parameters(), strict=True)):
            one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(10 * step + number))
            other.grad = one.grad.clone()
        mine.step()
        peer.step()
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.allclose(one, other, atol=2e-6), step


def test_a_closure_is_called() -> None:
    layer = nn.Linear(2, 1)
    optimizer = Lamb(layer.parameters(), lr=0.1)

    def closure() -> float:
        layer(torch.ones(1, 2)).sum().backward()
        return 4.0

    assert optimizer.step(closure) == pytest.approx(4.0)
    assert len(optimizer.state) == 2
