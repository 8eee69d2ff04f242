"""The MLP and its activations against their formulas; where its dropout is."""

import math

import pytest
import torch
from timm.layers import SwiGLUPacked
from torch import nn

from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.mlp import Mlp
from vitrail.nn.mlps import MLPS


@pytest.mark.parametrize(
    ("x", "y"), [(-1.0, -0.158655254), (0.5, 0.345731231), (1.0, 0.841344746), (2.0, 1.954499736), (0.0, 0.0)]
)
def test_gelu_is_the_exact_one(x, y):
    out = ACTIVATIONS["gelu"]()(torch.tensor(x, dtype=torch.float64))
    assert out.item() == pytest.approx(y, abs=5e-10)


FORMULAS = {
    "gelu": lambda x: 0.5 * x * (1 + math.erf(x / math.sqrt(2))),
    "gelu_tanh": lambda x: 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x / (1 + math.exp(-1.702 * x)),
    "relu": lambda x: max(x, 0.0),
    "silu": lambda x: x / (1 + math.exp(-x)),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_each_activation_is_its_formula(name):
    x = torch.linspace(-5, 5, 41, dtype=torch.float64)
    expected = torch.tensor([FORMULAS[name](value) for value in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name]()(x), expected, rtol=0, atol=1e-14)


def test_tanh_differs_from_erf_as_much_as_is_known():
    x = torch.linspace(-6, 6, 24_001, dtype=torch.float64)
    difference = (ACTIVATIONS["gelu"]()(x) - ACTIVATIONS["gelu_tanh"]()(x)).abs()
    assert difference.max().item() == pytest.approx(4.73e-4, rel=1e-3)
    assert abs(x[difference.argmax()].abs().item() - 2.70) < 0.01


def test_quick_gelu_differs_from_erf_as_much_as_is_known():
    x = torch.linspace(-6, 6, 24_001, dtype=torch.float64)
    difference = (ACTIVATIONS["gelu"]()(x) - ACTIVATIONS["quick_gelu"]()(x)).abs()
    assert difference.max().item() == pytest.approx(2.03e-2, rel=2e-3)


@torch.no_grad()
def test_swiglu_is_the_formula_and_timms_packed_one():
    torch.manual_seed(0)
    mlp = MLPS["swiglu"](6, 10, nn.GELU, 0.0).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    gate, value = (x @ part.T + bias for part, bias in zip(mlp.fc1.weight.chunk(2), mlp.fc1.bias.chunk(2), strict=True))
    expected = (gate / (1 + (-gate).exp()) * value) @ mlp.fc2.weight.T + mlp.fc2.bias
    torch.testing.assert_close(mlp(x), expected, rtol=0, atol=1e-14)
    theirs = SwiGLUPacked(6, 20).double()
    theirs.load_state_dict(mlp.state_dict(), strict=True)
    torch.testing.assert_close(mlp(x), theirs(x), rtol=0, atol=1e-14)


def test_dropout_follows_each_layer_of_a_gated_mlp():
    out = MLPS["swiglu"](6, 10, nn.GELU, 0.5)(torch.randn(50, 4, 6))
    assert 0.4 < (out == 0).float().mean() < 0.6
    assert [
        module.p for module in MLPS["swiglu"](6, 10, nn.GELU, 0.5).children() if isinstance(module, nn.Dropout)
    ] == [0.5, 0.5]


def test_it_is_the_formula():
    torch.manual_seed(0)
    mlp = Mlp(6, 10, nn.SiLU).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    hidden = x @ mlp.fc1.weight.T + mlp.fc1.bias
    expected = (hidden / (1 + (-hidden).exp())) @ mlp.fc2.weight.T + mlp.fc2.bias
    torch.testing.assert_close(mlp(x), expected, rtol=0, atol=1e-14)
    assert (mlp.fc1.out_features, mlp.fc2.in_features) == (10, 10)


def test_dropout_follows_each_of_the_two_layers():
    mlp = Mlp(6, 10, nn.ReLU, drop=0.5)
    order = []
    for name, module in mlp.named_children():
        module.register_forward_hook(lambda *_, name=name: order.append(name))
    out = mlp(torch.randn(50, 4, 6))
    assert order == ["fc1", "act", "drop1", "fc2", "drop2"]
    assert [mlp.drop1.p, mlp.drop2.p] == [0.5, 0.5]
    assert 0.4 < (out == 0).float().mean() < 0.6
    x = torch.randn(50, 4, 6)
    assert torch.equal(mlp.eval()(x), mlp(x))
