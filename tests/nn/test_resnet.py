"""The ResNet of hybrids: what it does to the shape, how it begins, and which settings it refuses."""

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck
from torch.func import functional_call

from vitrail.core.errors import ConfigError
from vitrail.nn.stem.resnet import Bottleneck, PreActivationBottleneck, ResNetStemConfig

SMALL = {"width": 8, "groups": 4}
BACKBONES = {(): 9_536, (2, 2, 2, 2): 13_946_176, (3, 4, 9): 11_894_848, (3, 4, 6, 3): 23_508_032}
"""Bottlenecks of each stage → parameters of the ResNet alone."""


@pytest.mark.parametrize("layers", BACKBONES, ids=str)
def test_parameters(layers):
    with torch.device("meta"):
        stem = ResNetStemConfig(layers=layers).build(3, 192, 32)
    assert sum(parameter.numel() for parameter in stem.parameters()) == BACKBONES[layers]
    assert stem.out_chans == (64 * 2 ** (len(layers) + 1) if layers else 64)


@pytest.mark.parametrize("pre_activation", [False, True], ids=["after", "before"])
@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize(("layers", "reduction"), [((), 4), ((1,), 4), ((1, 2), 8), ((1, 1, 1, 1), 32)], ids=str)
def test_the_grid_shrinks_by_what_it_says(layers, reduction, padding, pre_activation):
    config = ResNetStemConfig(layers=layers, padding=padding, pre_activation=pre_activation, **SMALL)
    stem = config.build(2, 16, 32)
    assert stem.reduction == reduction
    out = stem(torch.randn(2, 2, 64, 96))
    assert out.shape == (2, stem.out_chans, 64 // reduction, 96 // reduction)


@pytest.mark.parametrize("layers", [(1,), (2, 1)], ids=str)
def test_a_bottleneck_begins_as_the_activation_of_its_shortcut(layers):
    stem = ResNetStemConfig(layers=layers, **SMALL).build(3, 16, 16)
    for stage in stem.stages:
        for block in stage.blocks:
            assert block.norm3.weight.abs().max() == 0
            x = torch.randn(1, block.conv1.in_channels, 8, 8)
            assert torch.equal(block(x), block.downsample(x).relu())


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bottleneck", [Bottleneck, PreActivationBottleneck])
def test_gradients_against_finite_differences(bottleneck, stride):
    block = bottleneck(4, 12, stride, ResNetStemConfig(width=4, groups=1)).double()
    names, values = zip(*block.named_parameters(), strict=True)
    values = [torch.randn_like(value).requires_grad_() for value in values]
    image = torch.randn(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)

    def run(image, *values):
        return functional_call(block, dict(zip(names, values, strict=True)), (image,))

    assert gradcheck(run, (image, *values), eps=1e-6, atol=1e-6, rtol=1e-5)


def test_only_the_first_bottleneck_of_a_stage_projects_and_strides():
    stem = ResNetStemConfig(layers=(2, 2), **SMALL).build(3, 16, 8)
    for index, stage in enumerate(stem.stages):
        first, second = stage.blocks
        assert first.conv2.stride == first.downsample.conv.stride == (1 + index, 1 + index)
        assert first.conv1.stride == first.conv3.stride == second.conv2.stride == (1, 1)
        assert isinstance(second.downsample, nn.Identity)


def test_the_settings_reach_every_layer():
    config = ResNetStemConfig(layers=(1, 1), width=12, groups=3, norm_eps=1e-6, conv_eps=1e-4, pre_activation=True)
    modules = list(config.build(3, 16, 8).modules())
    norms = [module for module in modules if isinstance(module, nn.GroupNorm)]
    convs = [module for module in modules if isinstance(module, nn.Conv2d)]
    assert {(norm.num_groups, norm.eps) for norm in norms} == {(3, 1e-6)}
    assert {conv.eps for conv in convs} == {1e-4}
    assert len(norms) == 7
    assert len(convs) == 9


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": (3, 0)}, r"stem.layers = \(3, 0\)"),
        ({"width": 48}, "stem.width = 48 is not allowed; allowed: multiples of stem.groups, 32"),
        ({"width": 0}, "stem.width = 0"),
        ({"groups": 0}, "stem.groups = 0"),
        ({"norm_eps": -1.0}, "stem.norm_eps = -1.0"),
        ({"conv_eps": 0.0}, "stem.conv_eps = 0.0 is not allowed; allowed: greater than 0"),
    ],
)
def test_what_is_refused(fields, message):
    with pytest.raises(ConfigError, match=message):
        ResNetStemConfig(**fields)


def test_a_width_or_patch_that_does_not_fit_is_refused():
    config = ResNetStemConfig(layers=(1, 1), project=False, **SMALL)
    with pytest.raises(ConfigError, match="embed_dim = 16 is not allowed; allowed: 64 with this stem"):
        config.build_with_patch_embed(3, 16, 8)
    with pytest.raises(ConfigError, match="patch_size = 16 is not allowed; allowed: 8 with this stem"):
        config.build_with_patch_embed(3, 64, 16)
    with pytest.raises(ConfigError, match="patch_size = 4 is not a multiple of the stem's reduction 8"):
        config.build_with_patch_embed(3, 64, 4)
    assert isinstance(config.build_with_patch_embed(3, 64, 8)[1].proj, nn.Identity)
