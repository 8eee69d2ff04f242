"""Features before the head: each pool, against its definition."""

from __future__ import annotations

import pytest
import torch

import vitrail
from vitrail.models.features import FEATURES, Features
from vitrail.nn.pooling import MeanPoolConfig

KINDS = {
    "class token": {},
    "mean, norm after": {"pool": "mean"},
    "mean, norm before": {"pool": MeanPoolConfig(norm_after=False)},
    "mean, no class token": {"pool": "mean", "class_token": False},
    "distilled": {"distilled": True},
    "representation": {"representation_size": 7},
    "map": {"pool": "map"},
    "none": {"pool": "none"},
}


def build(**fields):
    torch.manual_seed(0)
    shape = {"img_size": 16, "patch_size": 8, "embed_dim": 12, "num_heads": 3, "depth": 2, "num_classes": 5}
    model = vitrail.VisionTransformer(vitrail.ViTConfig(**shape, **fields)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize("kind", KINDS)
@torch.inference_mode()
def test_each_pool_is_what_it_says(kind):
    model = build(**KINDS[kind])
    prefix = model.config.tokens.count
    images = torch.randn(3, 3, 16, 16)
    tokens = model.forward_features(images)
    normal = torch.nn.functional.layer_norm
    after = model.config.pool.norm_after

    def final(vector):
        norm = model.fc_norm
        return normal(vector, (12,), norm.weight, norm.bias, norm.eps) if after else vector

    expected = {"tokens": tokens, "mean": final(tokens[:, prefix:].mean(1))}
    if model.config.tokens.class_token:
        expected["class_token"] = final(tokens[:, 0])
    own = {"map": model.attn_pool(tokens, prefix), "none": tokens}
    expected["model"] = own[kind] if kind in own else expected["mean" if "mean" in kind else "class_token"]
    expected["pre_logits"] = model.pre_logits(expected["model"])
    for pool, features in expected.items():
        module = Features(model, pool)
        torch.testing.assert_close(module(images), features)
        assert module.shape() == tuple(features.shape[1:])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "distilled"])
@torch.inference_mode()
def test_the_models_own_pool_is_the_input_of_the_head(kind):
    model = build(**KINDS[kind])
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(model.head(model.pre_logits(Features(model)(images))), model(images))


def test_a_class_token_that_is_not_there():
    with pytest.raises(vitrail.ConfigError, match="no class token"):
        Features(build(pool="mean", class_token=False), "class_token")


def test_unknown_pools_are_answered_with_the_known():
    with pytest.raises(vitrail.ConfigError, match="'mena'") as caught:
        Features(build(), "mena")
    assert "mean" in caught.value.hint
    assert list(FEATURES) == ["model", "pre_logits", "class_token", "mean", "tokens"]
