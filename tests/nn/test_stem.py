"""Stems: what they do to the shape, and which settings they refuse."""

import pytest
import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.nn.stem import ConvStemConfig, PatchStemConfig


def convolutions(stem):
    return [(c.in_channels, c.out_channels, c.stride[0]) for c in stem if isinstance(c, nn.Conv2d)]


def test_no_stem_is_empty():
    stem = PatchStemConfig().build(5, 64, 16)
    image = torch.randn(2, 5, 32, 32)
    assert (len(stem), stem.out_chans, stem.reduction) == (0, 5, 1)
    assert stem(image) is image


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (1, [(3, 64, 1)]),
        (2, [(3, 32, 1), (32, 64, 2)]),
        (4, [(3, 16, 1), (16, 32, 2), (32, 64, 2)]),
        (16, [(3, 8, 1), (8, 8, 2), (8, 16, 2), (16, 32, 2), (32, 64, 2)]),
    ],
)
def test_by_default_one_convolution_at_full_resolution_then_halvings(patch, expected):
    stem = ConvStemConfig().build(3, 64, patch)
    assert convolutions(stem) == expected
    assert (stem.out_chans, stem.reduction) == (64, patch)
    assert stem(torch.randn(2, 3, 2 * patch, 3 * patch)).shape == (2, 64, 2, 3)


@pytest.mark.parametrize(
    ("config", "patch", "expected"),
    [
        (ConvStemConfig(widths=(5, 6, 7)), 4, [(3, 5, 1), (5, 6, 2), (6, 7, 2)]),
        (ConvStemConfig(widths=(5, 6, 7, 8)), 4, [(3, 5, 1), (5, 6, 1), (6, 7, 2), (7, 8, 2)]),
        (ConvStemConfig(strides=(3, 2)), 6, [(3, 32, 3), (32, 64, 2)]),
        (ConvStemConfig(strides=(2,)), 6, [(3, 64, 2)]),
        (ConvStemConfig(widths=(9, 10), strides=(2, 1)), 16, [(3, 9, 2), (9, 10, 1)]),
    ],
    ids=["widths", "more widths than halvings", "strides", "part of the reduction", "both"],
)
def test_widths_and_strides_can_be_given(config, patch, expected):
    stem = config.build(3, 64, patch)
    assert convolutions(stem) == expected
    assert (stem.out_chans, stem.reduction) == (expected[-1][1], torch.tensor([c[2] for c in expected]).prod().item())
    out = stem(torch.randn(2, 3, 2 * patch, patch))
    assert out.shape == (2, stem.out_chans, 2 * patch // stem.reduction, patch // stem.reduction)


def test_each_convolution_is_normalised_and_activated():
    stem = ConvStemConfig().build(3, 64, 4)
    assert [type(layer) for layer in stem] == [nn.Conv2d, nn.BatchNorm2d, nn.GELU] * 3
    assert all(layer.bias is None for layer in stem if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ConvStemConfig(widths=(8,), strides=(1, 2)), r"stem.widths = \(8,\).*as many as strides \(2\)"),
        (lambda: ConvStemConfig(widths=(8, 0)), "stem.widths"),
        (lambda: ConvStemConfig(strides=(2, 0)), "stem.strides"),
        (lambda: ConvStemConfig().build(3, 64, 6), "patch_size = 6.*power of two"),
        (lambda: ConvStemConfig(widths=(8, 8)).build(3, 64, 8), r"stem.widths = \(8, 8\)"),
    ],
    ids=["lengths differ", "width 0", "stride 0", "patch not a power of two", "too few widths"],
)
def test_what_cannot_be_is_refused(build, message):
    with pytest.raises(ConfigError, match=message):
        build()
