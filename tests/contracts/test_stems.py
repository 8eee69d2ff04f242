"""What every kind of stem must do."""

import pytest
import torch
from torch import nn

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.stem import STEMS, Stem, StemConfig

KINDS = pytest.mark.parametrize("kind", STEMS)


def fits(kind, patch):
    try:
        with torch.device("meta"):
            STEMS[kind]().build_with_patch_embed(3, 16, patch)
    except ConfigError:
        return False
    return True


PATCHES = {kind: [patch for patch in (2, 4, 8, 16, 32) if fits(kind, patch)] for kind in STEMS}
KINDS_AND_PATCHES = pytest.mark.parametrize(
    ("kind", "patch"), [(kind, patch) for kind, patches in PATCHES.items() for patch in patches]
)


@KINDS
def test_it_fits_more_than_one_patch(kind):
    assert len(PATCHES[kind]) >= 2
    assert 16 in PATCHES[kind]


@KINDS
def test_the_row_is_a_config_under_its_own_name(kind):
    row = STEMS[kind]
    assert issubclass(row, StemConfig)
    assert row.kind == kind
    assert StemConfig.choose(kind) == row()
    assert from_dict(ViTConfig, to_dict(ViTConfig(stem=row()))).stem == row()


@KINDS_AND_PATCHES
@pytest.mark.parametrize("channels", [1, 3, 5], ids="{} channels".format)
def test_it_does_to_the_shape_what_it_says(kind, patch, channels):
    stem = STEMS[kind]().build(channels, 16, patch)
    assert isinstance(stem, Stem)
    assert patch % stem.reduction == 0
    out = stem(torch.randn(2, channels, 2 * patch, 3 * patch))
    assert out.shape == (2, stem.out_chans, 2 * patch // stem.reduction, 3 * patch // stem.reduction)
    assert torch.isfinite(out).all()


@KINDS_AND_PATCHES
def test_the_number_of_tokens_does_not_depend_on_it(kind, patch):
    fields = {"patch_size": patch, "img_size": (2 * patch, 3 * patch), "embed_dim": 16, "depth": 1, "num_heads": 2}
    model = VisionTransformer(ViTConfig.of(**fields, stem=kind))
    assert model.embed(torch.randn(2, 3, 2 * patch, 3 * patch)).shape == (2, 7, 16)
    image = torch.randn(2, 3, 2 * patch, 3 * patch)
    assert model.patch_embed(model.stem(image)).shape == (2, 6, 16)
    assert len(model.stem) == 0 or isinstance(model.patch_embed.backbone, nn.Identity)


@KINDS
def test_its_weights_lie_under_one_name(kind):
    with torch.device("meta"):
        plain, model = (VisionTransformer(ViTConfig(stem=name)).state_dict() for name in ("patch", kind))
    own = {name for name in model if name not in plain}
    prefix = "patch_embed.backbone." if STEMS[kind].is_backbone else "stem."
    assert all(name.startswith(prefix) for name in own)
    assert bool(own) == (kind != "patch")


@KINDS
def test_images_do_not_see_each_other_in_evaluation(kind):
    patch = PATCHES[kind][0]
    stem = STEMS[kind]().build(3, 16, patch).eval()
    images = torch.randn(3, 3, 2 * patch, 2 * patch)
    torch.testing.assert_close(stem(images)[1:2], stem(images[1:2]))


@KINDS
def test_a_model_with_it_learns(kind):
    patch = next(patch for patch in PATCHES[kind] if patch >= 4)
    fields = {"patch_size": patch, "img_size": 2 * patch, "embed_dim": 16, "depth": 1, "num_heads": 2, "num_classes": 3}
    model = VisionTransformer(ViTConfig.of(**fields, stem=kind, init="post")).train()
    images = torch.randn(4, 3, 2 * patch, 2 * patch, requires_grad=True)
    model(images).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert (images.grad != 0).float().mean() > 0.95, "every pixel counts"
