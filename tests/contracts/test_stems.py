"""What every kind of stem must do."""

import pytest
import torch

from vitrail.core.config import from_dict, to_dict
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.stem import STEMS, Stem, StemConfig

pytestmark = pytest.mark.parametrize("kind", STEMS)
PATCHES = pytest.mark.parametrize("patch", [2, 4, 8, 16], ids="patch {}".format)


def test_the_row_is_a_config_under_its_own_name(kind):
    row = STEMS[kind]
    assert issubclass(row, StemConfig)
    assert row.kind == kind
    assert StemConfig.choose(kind) == row()
    assert from_dict(ViTConfig, to_dict(ViTConfig(stem=row()))).stem == row()


@PATCHES
@pytest.mark.parametrize("channels", [1, 3, 5], ids="{} channels".format)
def test_it_does_to_the_shape_what_it_says(kind, patch, channels):
    stem = STEMS[kind]().build(channels, 16, patch)
    assert isinstance(stem, Stem)
    assert patch % stem.reduction == 0
    out = stem(torch.randn(2, channels, 2 * patch, 3 * patch))
    assert out.shape == (2, stem.out_chans, 2 * patch // stem.reduction, 3 * patch // stem.reduction)
    assert torch.isfinite(out).all()


@PATCHES
def test_the_number_of_tokens_does_not_depend_on_it(kind, patch):
    fields = {"patch_size": patch, "img_size": (2 * patch, 3 * patch), "embed_dim": 16, "depth": 1, "num_heads": 2}
    model = VisionTransformer(ViTConfig.of(**fields, stem=kind))
    assert model.embed(torch.randn(2, 3, 2 * patch, 3 * patch)).shape == (2, 7, 16)
    assert model.patch_embed.proj.in_channels == model.stem.out_chans
    assert all(name.startswith("stem.") for name in dict(model.named_parameters()) if "stem" in name)


def test_images_do_not_see_each_other_in_evaluation(kind):
    stem = STEMS[kind]().build(3, 16, 4).eval()
    images = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(stem(images)[1:2], stem(images[1:2]))


def test_a_model_with_it_learns(kind):
    fields = {"patch_size": 4, "img_size": 8, "embed_dim": 16, "depth": 1, "num_heads": 2, "num_classes": 3}
    model = VisionTransformer(ViTConfig.of(**fields, stem=kind, init="post")).train()
    images = torch.randn(4, 3, 8, 8, requires_grad=True)
    model(images).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert (images.grad != 0).float().mean() > 0.95, "every pixel counts"
