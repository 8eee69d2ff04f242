"""Normalisations against their formulas."""

import pytest
import torch

from vitrail.core.errors import ConfigError
from vitrail.nn.norm import LayerNormConfig, RmsNormConfig


@pytest.mark.parametrize("eps", [1e-6, 1e-12, 0.1])
def test_layer_norm_is_the_formula(eps):
    torch.manual_seed(0)
    norm, x = LayerNormConfig(eps).build(7).double(), torch.randn(2, 3, 7, dtype=torch.float64)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    centred = x - x.mean(-1, keepdim=True)
    expected = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("eps", [1e-6, 1e-12, 0.1])
def test_rms_norm_is_the_formula(eps):
    torch.manual_seed(0)
    norm, x = RmsNormConfig(eps).build(7).double(), torch.randn(2, 3, 7, dtype=torch.float64)
    torch.nn.init.normal_(norm.weight)
    expected = x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * norm.weight
    torch.testing.assert_close(norm(x), expected, rtol=0, atol=1e-13)
    assert [name for name, _ in norm.named_parameters()] == ["weight"]


def test_the_default_eps_is_the_papers_code():
    assert LayerNormConfig().eps == RmsNormConfig().eps == 1e-6


@pytest.mark.parametrize("kind", [LayerNormConfig, RmsNormConfig])
@pytest.mark.parametrize("eps", [-1e-6, float("nan"), float("inf")])
def test_an_eps_that_makes_no_sense_is_refused(kind, eps):
    with pytest.raises(ConfigError, match="norm.eps = "):
        kind(eps)
