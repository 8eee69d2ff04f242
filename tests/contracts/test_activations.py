"""What every activation must do."""

import pytest
import torch
from torch import nn

from vitrail.core.config import from_dict, to_dict
from vitrail.nn.activation import ACTIVATIONS
from vitrail.nn.block import Block
from vitrail.nn.block_config import BlockConfig, DropConfig

pytestmark = pytest.mark.parametrize("name", ACTIVATIONS)


def test_it_is_built_anew_each_time_and_can_be_chosen_by_name(name):
    first, second = ACTIVATIONS[name](), ACTIVATIONS[name]()
    assert isinstance(first, nn.Module)
    assert first is not second
    config = BlockConfig(num_heads=2, act=name)
    assert from_dict(BlockConfig, to_dict(config)) == config
    assert repr(Block(8, config, DropConfig()).mlp.act) == repr(first)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_it_keeps_shape_and_type_and_is_finite(name, dtype):
    x = torch.linspace(-50, 50, 60, dtype=dtype).reshape(3, 4, 5)
    out = ACTIVATIONS[name]()(x)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert torch.isfinite(out).all()


def test_it_acts_on_each_number_by_itself(name):
    act, x = ACTIVATIONS[name](), torch.randn(3, 4)
    torch.testing.assert_close(act(x)[1, 2], act(x[1, 2]))


def test_it_is_nothing_at_zero_nearly_the_identity_far_above_and_not_linear(name):
    act = ACTIVATIONS[name]()
    assert act(torch.tensor(0.0)) == 0
    torch.testing.assert_close(act(torch.tensor(30.0)), torch.tensor(30.0))
    assert abs(act(torch.tensor(-30.0))) < 1


def test_its_gradient_is_right(name):
    x = torch.tensor([-2.0, -0.5, 0.3, 1.7], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ACTIVATIONS[name](), (x,))
