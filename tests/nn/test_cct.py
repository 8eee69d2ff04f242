"""The tokenizer of Compact Transformers: the authors' layers, counts and shapes."""

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

from vitrail.core.errors import ConfigError
from vitrail.nn.stem import CctStemConfig

PUBLISHED = {
    "CCT-7/3x1": (256, 2, 3, 1, 6_912),
    "CCT-2/3x2": (128, 4, 3, 2, 75_456),
    "CCT-7/3x2": (256, 4, 3, 2, 1_728 + 147_456),
    "CCT-14/7x2": (384, 16, 7, 2, 9_408 + 1_204_224),
}
"""Width of a token, patch, kernel, convolutions, parameters."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tokenizers(name):
    dim, patch, kernel, count, parameters = PUBLISHED[name]
    with torch.device("meta"):
        stem = CctStemConfig(kernel_size=kernel).build(3, dim, patch)
    assert sum(parameter.numel() for parameter in stem.parameters()) == parameters
    assert len(stem) == 3 * count
    assert (stem.out_chans, stem.reduction, stem.makes_tokens) == (dim, patch, True)


@pytest.mark.parametrize(("kernel", "stride", "patch"), [(3, 1, 4), (5, 1, 2), (7, 2, 4), (9, 3, 6)])
@torch.no_grad()
def test_it_is_convolution_activation_and_pooling(kernel, stride, patch):
    stem, embed = CctStemConfig(kernel_size=kernel, width=5).build_with_patch_embed(3, 8, patch)
    image = x = torch.randn(2, 3, 24, 36)
    for weight in stem.parameters():
        x = max_pool2d(conv2d(x, weight, stride=stride, padding=kernel // 2).relu(), 3, 2, 1)
    assert torch.equal(embed(stem(image)), x.flatten(2).mT)
    assert x.shape == (2, 8, 24 // patch, 36 // patch)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CctStemConfig(kernel_size=4), "stem.kernel_size = 4"),
        (lambda: CctStemConfig(kernel_size=-1), "stem.kernel_size = -1"),
        (lambda: CctStemConfig(width=0), "stem.width = 0"),
        (lambda: CctStemConfig().build(3, 8, 6), "patch_size = 6 is not allowed; allowed: a power of 2 with this stem"),
        (lambda: CctStemConfig().build(3, 8, 1), "patch_size = 1"),
        (lambda: CctStemConfig(kernel_size=7).build(3, 8, 8), "patch_size = 8 .* a power of 4"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
