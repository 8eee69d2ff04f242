"""One layer of the encoder: equations 2 and 3, and where things are dropped."""

from functools import partial

import pytest
import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.nn.block import Block
from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.position import Layout, Position

GRID = (2, 2)
POSITION = Position(Layout(8, 2, 1, GRID, 0))


def test_each_part_is_added_to_what_came_in():
    torch.manual_seed(0)
    block = Block(8, BlockConfig(num_heads=2), DropConfig()).double()
    x = torch.randn(3, 4, 8, dtype=torch.float64)
    middle = x + block.attn(block.norm1(x), POSITION, GRID)
    expected = middle + block.mlp(block.norm2(middle))
    torch.testing.assert_close(block(x, POSITION, GRID), expected, rtol=0, atol=1e-14)


@torch.no_grad()
def test_both_branches_have_factors_of_their_own():
    block = Block(8, BlockConfig(num_heads=2, layer_scale=1e-5), DropConfig()).double()
    assert {name for name, _ in block.named_parameters() if name.startswith("ls")} == {"ls1.gamma", "ls2.gamma"}
    assert block.ls1.gamma.tolist() == block.ls2.gamma.tolist() == pytest.approx([1e-5] * 8)
    block.ls1.gamma.normal_(), block.ls2.gamma.normal_()
    x = torch.randn(3, 4, 8, dtype=torch.float64)
    middle = x + block.ls1.gamma * block.attn(block.norm1(x), POSITION, GRID)
    expected = middle + block.ls2.gamma * block.mlp(block.norm2(middle))
    torch.testing.assert_close(block(x, POSITION, GRID), expected, rtol=0, atol=1e-14)


def test_the_hidden_width_is_the_ratio_times_the_width():
    block = Block(8, BlockConfig(num_heads=2, mlp_ratio=2.5), DropConfig())
    assert block.mlp.fc1.out_features == 20


def test_rates_go_where_they_belong():
    block = Block(8, BlockConfig(num_heads=2), DropConfig(drop_rate=0.1, attn_drop_rate=0.2), drop_path=0.3)
    assert [block.attn.proj_drop.p, block.mlp.drop1.p, block.mlp.drop2.p] == [0.1, 0.1, 0.1]
    assert block.attn.attn_drop == 0.2
    assert [block.drop_path1.rate, block.drop_path2.rate] == [0.3, 0.3]


def test_a_dropped_path_leaves_the_sample_as_it_was():
    torch.manual_seed(0)
    block = Block(8, BlockConfig(num_heads=2), DropConfig(), drop_path=0.99)
    x = torch.randn(64, 4, 8)
    same = (block(x, POSITION, GRID) == x).flatten(1).all(dim=1)
    assert same.float().mean() > 0.9
    assert not torch.equal(block.eval()(x, POSITION, GRID), x)


@pytest.mark.parametrize("act", ["relu", nn.ReLU, partial(nn.ReLU, inplace=True)], ids=["name", "class", "callable"])
def test_the_activation_is_a_name_or_anything_that_builds_one(act):
    assert isinstance(Block(8, BlockConfig(num_heads=2, act=act), DropConfig()).mlp.act, nn.ReLU)


@pytest.mark.parametrize("name", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_a_rate_outside_0_to_1_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} = .* allowed: 0 ≤ rate < 1"):
        DropConfig(**{name: value})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_heads": 0}, "num_heads = 0"),
        ({"mlp_ratio": 0.0}, "mlp_ratio = 0.0"),
        ({"mlp_ratio": float("nan")}, "mlp_ratio = nan"),
        ({"mlp_ratio": float("inf")}, "mlp_ratio = inf"),
        ({"qk_scale": float("nan")}, "qk_scale = nan"),
        ({"layer_scale": float("nan")}, "layer_scale = nan"),
        ({"mlp": "swigul"}, "unknown mlp 'swigul'\nhint: did you mean swiglu"),
        ({"act": "gleu"}, "unknown activation 'gleu'\nhint: did you mean gelu"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_a_bad_setting_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        BlockConfig(**fields)
