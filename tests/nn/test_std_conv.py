"""Standardised kernels, and where an image is padded."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.autograd import gradcheck

from vitrail.nn.stem.std_conv import StdConv2d, padding_of


@pytest.mark.parametrize(
    ("kernel", "stride", "same", "symmetric"),
    [
        (7, 2, (2, 3), (3, 3)),
        (3, 2, (0, 1), (1, 1)),
        (3, 1, (1, 1), (1, 1)),
        (1, 1, (0, 0), (0, 0)),
        (1, 2, (0, 0), (0, 0)),
    ],
)
def test_where_an_image_is_padded(kernel, stride, same, symmetric):
    assert padding_of(kernel, stride, "same") == same
    assert padding_of(kernel, stride, "symmetric") == symmetric


@given(
    kernel=st.sampled_from([1, 3, 5, 7]), stride=st.integers(1, 3), grid=st.tuples(st.integers(2, 5), st.integers(2, 5))
)
def test_same_is_tensorflows_rule_where_the_stride_divides_the_side(kernel, stride, grid):
    """SAME puts out ceil(side / stride) and pads what that lacks, the odd pixel last."""
    for side in (stride * cells for cells in grid):
        total = max(0, (-(-side // stride) - 1) * stride + kernel - side)
        assert padding_of(kernel, stride, "same") == (total // 2, total - total // 2)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(7, 2, "same"), (3, 2, "same"), (3, 2, "symmetric")])
def test_it_is_a_convolution_of_the_padded_image_with_standardised_kernels(kernel, stride, padding):
    conv = StdConv2d(3, 4, kernel, stride, padding, eps=1e-3).double()
    image = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    flat = conv.weight.detach().flatten(1)
    flat = (flat - flat.mean(dim=1, keepdim=True)) / (flat.var(dim=1, keepdim=True, unbiased=False) + 1e-3).sqrt()
    before, after = padding_of(kernel, stride, padding)
    padded = nn.functional.pad(image, (before, after, before, after))
    parts = nn.functional.unfold(padded, kernel, stride=stride)
    expected = (flat @ parts).unflatten(2, (4, 6))
    torch.testing.assert_close(conv(image), expected, rtol=0, atol=1e-12)


def test_neither_scale_nor_shift_of_a_kernel_counts():
    conv = StdConv2d(3, 4, 3, 1, "same", eps=1e-20).double()
    image = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    before = conv(image)
    with torch.no_grad():
        conv.weight.mul_(torch.tensor([1e-2, 0.5, 3.0, 1e3]).reshape(4, 1, 1, 1)).add_(0.7)
    torch.testing.assert_close(conv(image), before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("padding", ["same", "symmetric"])
def test_gradients_against_finite_differences(padding):
    conv = StdConv2d(2, 3, 3, 2, padding, eps=1e-8).double()
    image = torch.randn(1, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    weight = conv.weight.detach().clone().requires_grad_()

    def run(image, weight):
        return torch.func.functional_call(conv, {"weight": weight}, (image,))

    assert gradcheck(run, (image, weight), eps=1e-6, atol=1e-7, rtol=1e-6)
