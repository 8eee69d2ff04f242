"""The running mean of weights, against its formula in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from vitrail.train.ema import WeightAverage


def draw(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.state_dict().values():
            value.copy_(torch.randn(value.shape, generator=generator) * 3 if value.ndim else torch.tensor(seed))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.999])
def test_formula(decay: float) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    draw(model, 0)
    average = WeightAverage(model, decay)
    expected = {name: value.double().clone() for name, value in model.named_parameters()}
    for update in range(30):
        draw(model, update + 1)
        average.update(model, update)
        keep = min(decay, (1 + update) / (10 + update))
        for name, value in model.named_parameters():
            expected[name] = keep * expected[name] + (1 - keep) * value.detach().double()
        for name, value in average.model.named_parameters():
            assert torch.allclose(value.double(), expected[name], atol=1e-5)

    for name, buffer in average.model.named_buffers():
        assert torch.equal(buffer, model.get_buffer(name)), "running statistics are copied"
    assert int(average.model[1].num_batches_tracked) == 30


def test_it_is_a_model_of_its_own_that_only_evaluates() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.5))
    average = WeightAverage(model, 0.9)
    before = model[0].weight.detach().clone()
    draw(model, 3)

    assert torch.equal(average.model[0].weight, before)
    assert model.training and not average.model.training
    assert not any(parameter.requires_grad for parameter in average.model.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters())
