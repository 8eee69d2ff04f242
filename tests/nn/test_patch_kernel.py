"""Kernels carried to other patches and other channels: the identities they are made for, and timm's numbers."""

import numpy as np
import pytest
import torch
from PIL import Image
from timm.layers import resample_patch_embed
from timm.models import adapt_input_conv
from torch.nn.functional import conv2d, interpolate

from vitrail.core.errors import ConfigError
from vitrail.nn.patch_kernel import adapt_channels, resize_kernel
from vitrail.nn.position.resample import RULES, resample

UP = pytest.mark.parametrize("size", [(8, 8), (5, 7), (16, 16), (4, 5)], ids="to {}".format)
DOWN = pytest.mark.parametrize("size", [(3, 3), (2, 4), (1, 1)], ids="to {}".format)


def kernel_of(size=(4, 4), channels=3, dtype=torch.float64):
    return torch.randn(6, channels, *size, dtype=dtype)


def responses(patches, kernel):
    return conv2d(patches, kernel).flatten(1)


@UP
@pytest.mark.parametrize("rule", RULES)
def test_a_larger_patch_gives_exactly_what_the_patch_gave(rule, size):
    kernel, patches = kernel_of(), torch.randn(10, 3, 4, 4, dtype=torch.float64)
    larger = torch.stack([resample(patch.permute(1, 2, 0), size, rule).permute(2, 0, 1) for patch in patches])
    got = responses(larger, resize_kernel(kernel, size, rule))
    torch.testing.assert_close(got, responses(patches, kernel), rtol=0, atol=1e-9)


@DOWN
def test_a_smaller_patch_gives_it_with_the_least_squared_error(size):
    """Approximate: against the solution of the least-squares problem, which interpolation of the kernel is not."""
    kernel = kernel_of()
    basis = torch.eye(16, dtype=torch.float64).reshape(16, 1, 4, 4)
    smaller = interpolate(basis, size=size, mode="bicubic", antialias=True).flatten(1)
    expected = torch.linalg.lstsq(smaller, kernel.reshape(18, 16).T).solution.T.reshape(6, 3, *size)
    got = resize_kernel(kernel, size)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    error = (smaller @ got.reshape(18, -1).T - kernel.reshape(18, 16).T).square().mean()
    assert error > 0.1, "it is not exact"
    interpolated = interpolate(kernel, size=size, mode="bicubic", antialias=True) * 16 / (size[0] * size[1])
    assert error < (smaller @ interpolated.reshape(18, -1).T - kernel.reshape(18, 16).T).square().mean()


@UP
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
def test_it_is_timms(mode, antialias, size):
    kernel = kernel_of(dtype=torch.float32)
    rules = {("bicubic", True): "timm", ("bicubic", False): "transformers", ("bilinear", True): "flexivit"}
    expected = resample_patch_embed(kernel, list(size), interpolation=mode, antialias=antialias)
    got = resize_kernel(kernel, size, rules.get((mode, antialias), "timm_npz"))
    torch.testing.assert_close(got, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("size", [(3, 3), (2, 4)], ids=str)
def test_it_is_timms_for_smaller_patches(size):
    kernel = kernel_of(dtype=torch.float32)
    torch.testing.assert_close(resize_kernel(kernel, size), resample_patch_embed(kernel, list(size)), rtol=0, atol=2e-5)


def test_images_that_pillow_enlarges_give_the_same_tokens():
    """The kernel of 32 pixels on an image twice as large, against that of 16 on the image."""
    small = np.random.default_rng(0).uniform(0, 1, (16, 16)).astype(np.float32)
    large = np.array(Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC))
    kernel = kernel_of((16, 16), 1, torch.float32)
    got = responses(torch.from_numpy(large)[None, None], resize_kernel(kernel, (32, 32)))
    expected = responses(torch.from_numpy(small)[None, None], kernel)
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-3)
    assert expected.abs().max() > 5


def test_the_same_size_is_the_same_kernel_and_the_type_of_number_stays():
    kernel = kernel_of()
    assert resize_kernel(kernel, (4, 4)) is kernel
    assert resize_kernel(kernel.bfloat16(), (8, 8)).dtype == torch.bfloat16
    with pytest.raises(ConfigError, match="unknown resize rule"):
        resize_kernel(kernel, (8, 8), "nearest")


@pytest.mark.parametrize("old", [1, 3, 4, 5])
@pytest.mark.parametrize("new", [1, 2, 3, 4, 6, 7, 9])
def test_channels_are_adapted_as_timm_does(old, new):
    kernel = kernel_of(channels=old, dtype=torch.float32)
    expected = adapt_input_conv(new, kernel.clone(), base_chans=old)
    torch.testing.assert_close(adapt_channels(kernel, new), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("old", "new"), [(3, 1), (1, 3), (3, 6), (2, 8), (1, 5)])
def test_channels_that_are_all_alike_give_what_they_gave(old, new):
    kernel, grey = kernel_of(channels=old), torch.randn(5, 1, 4, 4, dtype=torch.float64)
    got = responses(grey.expand(-1, new, -1, -1), adapt_channels(kernel, new))
    torch.testing.assert_close(got, responses(grey.expand(-1, old, -1, -1), kernel), rtol=0, atol=1e-12)


def test_as_many_channels_are_the_same_kernel_and_none_are_refused():
    kernel = kernel_of()
    before = kernel.clone()
    assert adapt_channels(kernel, 3) is kernel
    assert adapt_channels(kernel.bfloat16(), 5).dtype == torch.bfloat16
    adapt_channels(kernel, 5).zero_()
    assert torch.equal(kernel, before)
    with pytest.raises(ConfigError, match="in_chans = 0 is not allowed"):
        adapt_channels(kernel, 0)
