"""What every parity test does: build both, randomise the reference, carry its weights over, compare the logits."""

from collections.abc import Callable

import pytest
import torch
from torch import nn


def build(make: Callable[[], nn.Module]) -> nn.Module:
    """Build a model without spending time on initial weights: everything in it is garbage that must be overwritten."""
    with torch.device("meta"):
        model = make()
    assert not list(model.buffers()), "a buffer would stay garbage"
    for parameter in model.to_empty(device="cpu").parameters():
        parameter.data.fill_(torch.nan)
    return model


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter anew, so that activations stay of order one; no head and no position is left at zero."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        mean, deviation = 0.0, 0.5
        if parameter.ndim in (2, 4):
            deviation = parameter[0].numel() ** -0.5
        elif parameter.ndim == 1:
            mean, deviation = float(name.endswith("weight")), 0.2
        reach = 3**0.5 * deviation
        parameter.uniform_(mean - reach, mean + reach, generator=generator)
    return model


@torch.no_grad()
def assert_same_logits(ours: nn.Module, theirs: nn.Module, size: tuple[int, int], batch: int = 2) -> None:
    """Hold max |Δlogit| ≤ 1e-5 · max |logit| in float32, in evaluation."""
    torch.manual_seed(1)
    images = torch.randn(batch, 3, *size)
    ours.eval(), theirs.eval()
    got, expected = ours(images), theirs(images)
    expected = getattr(expected, "logits", expected)
    scale = expected.abs().max().item()
    assert got.shape == expected.shape
    assert 0.3 < scale < 100, "the comparison must not be one of zeros"
    assert (expected[0] - expected[1]).abs().max() > 0.01 * scale, "the image must matter"
    assert (got - expected).abs().max().item() <= 1e-5 * scale


@pytest.fixture(scope="session", name="build")
def build_fixture():
    return build


@pytest.fixture(scope="session", name="randomise")
def randomise_fixture():
    return randomise


@pytest.fixture(scope="session", name="assert_same_logits")
def assert_same_logits_fixture():
    return assert_same_logits
