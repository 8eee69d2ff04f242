"""Hybrids and plain ResNets equal timm's; a hybrid's state dict loads as it is."""

from functools import partial

import pytest
import timm
import torch
from timm.layers import StdConv2d
from timm.models.resnetv2 import ResNetV2
from torch.nn.functional import cross_entropy

from vitrail.models import create_model

HYBRIDS = {
    "R+Ti/16 at 224": ("vit_tiny_r_s16_p8_224", {}),
    "R+Ti/16 at 64 × 96": ("vit_tiny_r_s16_p8_224", {"img_size": (64, 96), "depth": 3}),
    "R26+S/32 at 224": ("vit_small_r26_s32_224", {"depth": 3}),
    "R26+S/32 at 96 × 160": ("vit_small_r26_s32_384", {"img_size": (96, 160), "depth": 2}),
    "R26+B/32 at 64": ("vit_base_r26_s32_224", {"img_size": 64, "depth": 1}),
    "R50+B/16 at 224": ("vit_base_r50_s16_224", {"depth": 1, "num_classes": 1000}),
    "R50+B/16 at 112 × 80": ("vit_base_r50_s16_384", {"img_size": (112, 80), "depth": 2}),
    "R50+L/32 at 224": ("vit_large_r50_s32_224", {"depth": 1}),
    "R50+L/32 at 64 × 128, 5 classes": (
        "vit_large_r50_s32_384", {"img_size": (64, 128), "depth": 1, "num_classes": 5},
    ),
    "R26+S/32 mean, 1 channel": (
        "vit_small_r26_s32_224", {"img_size": 96, "depth": 1, "global_pool": "avg", "in_chans": 1},
    ),
}  # fmt: skip


def hybrids(build, randomise, name, fields):
    theirs = randomise(build(lambda: timm.create_model(name, **fields)))
    other = {"pool": "mean"} if fields.get("global_pool") == "avg" else {}
    own = {key: value for key, value in fields.items() if key != "global_pool"}
    ours = build(lambda: create_model(name, **own, **other))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


@torch.no_grad()
def assert_same(ours, theirs, batch=2):
    config = ours.config
    torch.manual_seed(1)
    images = torch.randn(batch, config.in_chans, *config.image_size)
    got, expected = ours.eval()(images), theirs.eval()(images)
    scale = expected.abs().max().item()
    assert 0.3 < scale < 100, "the comparison must not be one of zeros"
    assert (expected[0] - expected[1]).abs().max() > 0.01 * scale, "the image must matter"
    assert (got - expected).abs().max().item() <= 1e-5 * scale


@pytest.mark.parametrize("case", HYBRIDS)
def test_hybrids(case, build, randomise):
    assert_same(*hybrids(build, randomise, *HYBRIDS[case]))


@pytest.mark.parametrize(
    "stem",
    [{"stem.norm_eps": 1e-3}, {"stem.conv_eps": 1e-3}, {"stem.padding": "symmetric"}],
    ids=["eps of norms", "eps of kernels", "padding"],
)
def test_a_small_difference_would_be_seen(stem, build, randomise):
    name, fields = "vit_small_r26_s32_224", {"img_size": 64, "depth": 1}
    ours, theirs = hybrids(build, randomise, name, fields)
    assert_same(ours, theirs)
    other = build(lambda: create_model(name, **fields, **stem))
    other.load_state_dict(theirs.state_dict(), strict=True)
    with pytest.raises(AssertionError):
        assert_same(other, theirs)


def test_gradients_of_the_loss_are_the_same(build, randomise):
    """In float64, so that the order of additions does not matter."""
    ours, theirs = hybrids(build, randomise, "vit_small_r26_s32_224", {"img_size": 64, "depth": 1, "num_classes": 5})
    images, labels = torch.randn(3, 3, 64, 64, dtype=torch.float64), torch.tensor([0, 4, 2])
    for model in (ours.double(), theirs.double()):
        cross_entropy(model.train()(images), labels).backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        scale = expected[name].grad.abs().max().item()
        assert scale > 1e-8, name
        assert (parameter.grad - expected[name].grad).abs().max().item() <= 1e-9 * scale, name


def as_ours(state):
    """Rename timm's ResNet: it lies in the patch embedding, and its head, there a 1 × 1 convolution, is dense here."""
    heads = {name.replace("head.fc", "head"): value for name, value in state.items() if name.startswith("head.fc")}
    rest = {f"patch_embed.backbone.{name}": value for name, value in state.items() if not name.startswith("head.fc")}
    return {**rest, **{name: value.flatten(1) if value.ndim > 1 else value for name, value in heads.items()}}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("resnetv2_50x1_bit", (224, 224)),
        ("resnetv2_50x1_bit", (96, 160)),
        ("resnetv2_101x1_bit", (64, 96)),
    ],
)
def test_plain_resnets(name, size, build, randomise):
    theirs = randomise(build(lambda: timm.create_model(name)))
    ours = build(lambda: create_model(name, img_size=size))
    ours.load_state_dict(as_ours(theirs.state_dict()), strict=True)
    assert_same(ours, theirs)


def test_a_wide_resnet(randomise):
    layers, factor = (1, 2, 1), 2
    channels = (256, 512, 1024)
    conv = partial(StdConv2d, eps=1e-8)
    theirs = randomise(
        ResNetV2(layers, channels, num_classes=5, width_factor=factor, stem_type="fixed", conv_layer=conv)
    )
    stem = {"stem.layers": layers, "stem.width": 64 * factor}
    ours = create_model("R50x1", img_size=48, patch_size=16, embed_dim=2048, num_classes=5, **stem)
    ours.load_state_dict(as_ours(theirs.state_dict()), strict=True)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", timm.list_models("resnetv2_*_bit"))
def test_a_plain_resnets_parameters_are_timms(name):
    with torch.device("meta"):
        ours, theirs = create_model(name).state_dict(), timm.create_model(name).state_dict()
    expected = {key: value.shape for key, value in as_ours(theirs).items()}
    assert {key: value.shape for key, value in ours.items()} == expected


@torch.no_grad()
@pytest.mark.parametrize("name", ["vit_base_r50_s16_224", "vit_tiny_r_s16_p8_224"])
def test_the_state_dict_goes_back(name, build, randomise):
    ours = randomise(build(lambda: create_model(name, depth=1, num_classes=7)))
    theirs = build(lambda: timm.create_model(name, depth=1, num_classes=7))
    theirs.load_state_dict(ours.state_dict(), strict=True)
    images = torch.randn(1, 3, 224, 224)
    got, expected = ours.eval()(images), theirs.eval()(images)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
