"""Logits equal timm's, whose state dicts load as they are."""

import pytest
import timm
import torch

from vitrail.models import create_model

MEAN = {"pool": "mean"}
MEAN_ALONE = {"pool": "mean", "class_token": False}


def pair(build, randomise, theirs_name, theirs_fields, ours_name, ours_fields):
    theirs = randomise(build(lambda: timm.create_model(theirs_name, **theirs_fields)))
    ours = build(lambda: create_model(ours_name, **ours_fields))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


CASES = {
    "Ti/16 at 224": ("vit_tiny_patch16_224", {}, "Ti/16", {}),
    "S/16 at 224": ("vit_small_patch16_224", {}, "S/16", {}),
    "S/32 at 384": ("vit_small_patch32_384", {}, "vit_small_patch32_384", {}),
    "B/16 at 224": ("vit_base_patch16_224", {}, "B/16", {}),
    "B/32 at 384, depth 3": ("vit_base_patch32_384", {"depth": 3}, "vit_base_patch32_384", {"depth": 3}),
    "Ti/16 at 384": ("vit_tiny_patch16_384", {"depth": 3}, "vit_tiny_patch16_384", {"depth": 3}),
    "Ti/16 at 96 × 160": (
        "vit_tiny_patch16_224", {"img_size": (96, 160), "depth": 4}, "Ti/16", {"img_size": (96, 160), "depth": 4},
    ),
    "S/16 distilled at 224": ("deit_small_distilled_patch16_224", {}, "deit_small_distilled_patch16_224", {}),
    "Ti/16 distilled at 224": (
        "deit_tiny_distilled_patch16_224", {"depth": 3}, "deit_tiny_distilled_patch16_224", {"depth": 3},
    ),
    "B/16 distilled at 384, depth 2": (
        "deit_base_distilled_patch16_384", {"depth": 2}, "deit_base_distilled_patch16_384", {"depth": 2},
    ),
    "Ti/16 mean": ("vit_tiny_patch16_224", {"global_pool": "avg", "depth": 3}, "Ti/16", {**MEAN, "depth": 3}),
    "S/16 mean": ("vit_small_patch16_224", {"global_pool": "avg", "depth": 4}, "S/16", {**MEAN, "depth": 4}),
    "B/16 mean at 64 × 96": (
        "vit_base_patch16_224", {"global_pool": "avg", "img_size": (64, 96), "depth": 3},
        "B/16", {**MEAN, "img_size": (64, 96), "depth": 3},
    ),
    "Ti/16 mean without class token": (
        "vit_tiny_patch16_224", {"global_pool": "avg", "class_token": False, "depth": 3},
        "Ti/16", {**MEAN_ALONE, "depth": 3},
    ),
    "S/16 mean without class token at 384": (
        "vit_small_patch16_384", {"global_pool": "avg", "class_token": False, "depth": 2},
        "vit_small_patch16_384", {**MEAN_ALONE, "depth": 2},
    ),
    "Ti/16 mean, norm before pooling": (
        "vit_tiny_patch16_224", {"global_pool": "avg", "fc_norm": False, "depth": 3},
        "Ti/16", {"pool": {"kind": "mean", "norm_after": False}, "depth": 3},
    ),
    "Ti/16 without qkv bias, 5 classes": (
        "vit_tiny_patch16_224", {"qkv_bias": False, "num_classes": 5, "depth": 3},
        "Ti/16", {"qkv_bias": False, "num_classes": 5, "depth": 3},
    ),
    "Ti/16 with registers": (
        "vit_tiny_patch16_224", {"reg_tokens": 3, "depth": 3}, "Ti/16", {"registers": 3, "depth": 3},
    ),
    "Ti/16 with registers, mean": (
        "vit_tiny_patch16_224", {"reg_tokens": 2, "depth": 2, "global_pool": "avg"},
        "Ti/16", {"registers": 2, "depth": 2, **MEAN},
    ),
    "Ti/16 with layer scale": (
        "vit_tiny_patch16_224", {"init_values": 1e-4, "depth": 3}, "Ti/16", {"layer_scale": 1e-4, "depth": 3},
    ),
    "Ti/16 with normalised queries and keys": (
        "vit_tiny_patch16_224", {"qk_norm": True, "depth": 3}, "Ti/16", {"qk_norm": True, "depth": 3},
    ),
    "Ti/16 gated": (
        "vit_tiny_patch16_224",
        {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": "silu", "mlp_ratio": 16 / 3, "depth": 3},
        "Ti/16", {"mlp": "swiglu", "mlp_ratio": 8 / 3, "depth": 3},
    ),
    "Ti/16 normalised before the first block, patches without bias, QuickGELU": (
        "vit_tiny_patch16_224", {"pre_norm": True, "act_layer": "quick_gelu", "depth": 3},
        "Ti/16", {"pre_norm": True, "patch_bias": False, "act": "quick_gelu", "depth": 3},
    ),
    "Ti/16 attention pooling": (
        "vit_tiny_patch16_224", {"global_pool": "map", "class_token": False, "depth": 3},
        "Ti/16", {"pool": "map", "class_token": False, "depth": 3},
    ),
    "Ti/16 attention pooling beside a class token": (
        "vit_tiny_patch16_224", {"global_pool": "map", "depth": 3}, "Ti/16", {"pool": "map", "depth": 3},
    ),
    "Ti/16 no pooling": (
        "vit_tiny_patch16_224", {"global_pool": "", "depth": 3}, "Ti/16", {"pool": "none", "depth": 3},
    ),
    "Ti/16 features": ("vit_tiny_patch16_224", {"num_classes": 0, "depth": 3}, "Ti/16", {"num_classes": 0, "depth": 3}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_logits(case, build, randomise, assert_same_logits):
    ours, theirs = pair(build, randomise, *CASES[case])
    assert_same_logits(ours, theirs, ours.config.image_size, batch=2)


@pytest.mark.parametrize(
    "fields",
    [{"act": "gelu_tanh"}, {"norm": {"kind": "layer_norm", "eps": 1e-4}}, {"qk_scale": 0.126}],
    ids=["activation", "eps", "scale"],
)
def test_a_small_difference_would_be_seen(fields, build, randomise, assert_same_logits):
    small = {"img_size": 64, "depth": 2}
    ours, theirs = pair(build, randomise, "vit_tiny_patch16_224", small, "Ti/16", small)
    assert_same_logits(ours, theirs, (64, 64))
    other = build(lambda: create_model("Ti/16", **small, **fields))
    other.load_state_dict(theirs.state_dict(), strict=True)
    with pytest.raises(AssertionError):
        assert_same_logits(other, theirs, (64, 64))


@torch.no_grad()
def test_a_distilled_model_gives_both_logits_while_training(build, randomise):
    name = "deit_tiny_distilled_patch16_224"
    ours, theirs = pair(build, randomise, name, {}, name, {})
    theirs.set_distilled_training(True)
    images = torch.randn(2, 3, 224, 224)
    for got, expected in zip(ours.train()(images), theirs.train()(images), strict=True):
        assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()
    first, second = ours(images)
    assert (first - second).abs().max() > 0.1, "two heads"
    assert torch.equal(ours.eval()(images), (first + second) / 2)


@pytest.mark.parametrize("case", ["Ti/16 at 224", "Ti/16 distilled at 224", "Ti/16 mean without class token"])
def test_the_state_dict_goes_back(case, build, randomise):
    theirs_name, theirs_fields, ours_name, ours_fields = CASES[case]
    ours = randomise(build(lambda: create_model(ours_name, **ours_fields)))
    theirs = build(lambda: timm.create_model(theirs_name, **theirs_fields))
    theirs.load_state_dict(ours.state_dict(), strict=True)
    theirs_shapes = {name: parameter.shape for name, parameter in theirs.named_parameters()}
    assert {name: parameter.shape for name, parameter in ours.named_parameters()} == theirs_shapes
