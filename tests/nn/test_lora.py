"""Low-rank adaptation: by its equation, merged, and refused where a pattern matches nothing."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.lora import LoraConfig, LoraLinear, adapt, merge


@pytest.fixture
def model() -> VisionTransformer:
    config = ViTConfig.of(
        img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3, init="post", qkv_bias=False
    )
    return VisionTransformer(config).eval()


def learn(model: nn.Module) -> None:
    """Give every thin matrix another value, as training would."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".lora_" in name:
                value.normal_()


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        (r".*\.qkv", ["blocks.0.attn.qkv", "blocks.1.attn.qkv"]),
        (r"blocks\.1\.mlp\..*", ["blocks.1.mlp.fc1", "blocks.1.mlp.fc2"]),
        (r".*proj", ["blocks.0.attn.proj", "blocks.1.attn.proj"]),
    ],
)
def test_the_pattern_says_which_layers(model: VisionTransformer, targets: str, names: list[str]) -> None:
    assert adapt(model, LoraConfig(targets, 2)) == names
    assert [name for name, module in model.named_modules() if isinstance(module, LoraLinear)] == names


def test_an_adapted_model_begins_as_what_it_was(model: VisionTransformer) -> None:
    images, before = torch.randn(2, 3, 8, 8), copy.deepcopy(model)
    adapt(model, LoraConfig(r"blocks\..*", 2))
    assert torch.equal(model(images), before(images))
    old = before.state_dict()
    assert all(torch.equal(value, old[name]) for name, value in model.state_dict().items() if ".lora_" not in name)


def test_by_its_equation() -> None:
    """h = W·x + b + (alpha ÷ rank) · B·A·x."""
    plain = nn.Linear(5, 4).double()
    layer = LoraLinear(plain, rank=2, alpha=6.0)
    learn(nn.ModuleDict({"a": layer}))
    x = torch.randn(3, 5, dtype=torch.float64)
    expected = x @ (plain.weight + 3.0 * layer.lora_b @ layer.lora_a).T + plain.bias
    assert torch.allclose(layer(x), expected, atol=1e-12)
    assert type(layer.merged()) is nn.Linear
    assert torch.allclose(layer.merged()(x), expected, atol=1e-12)


def test_merged_is_a_plain_model(model: VisionTransformer) -> None:
    names = list(model.state_dict())
    adapt(model, LoraConfig(r"blocks\..*", 2))
    learn(model)
    images, before = torch.randn(2, 3, 8, 8), {name: value.clone() for name, value in model.state_dict().items()}
    plain = merge(model)
    assert list(plain.state_dict()) == names and not any(isinstance(one, LoraLinear) for one in plain.modules())
    assert torch.allclose(plain(images), model(images), atol=1e-4)
    assert not torch.equal(plain.blocks[0].attn.qkv.weight, model.blocks[0].attn.qkv.weight)
    with torch.no_grad():
        for value in plain.parameters():
            value.add_(1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items()), "nothing is shared"


def test_what_has_no_thin_matrices_is_not_copied(model: VisionTransformer) -> None:
    assert merge(model) is model


@pytest.mark.parametrize("targets", ["qkv", r"patch_embed\.proj", r"blocks\.7\..*"])
def test_a_pattern_that_matches_nothing_is_refused(model: VisionTransformer, targets: str) -> None:
    with pytest.raises(ConfigError, match="matches no linear layer") as caught:
        adapt(model, LoraConfig(targets))
    assert "blocks.0.attn.qkv" in caught.value.hint
