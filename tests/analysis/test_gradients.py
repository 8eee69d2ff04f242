"""The gradient by the weights of attention, for every kind of model, against differences of the fused path."""

import pytest
import torch

from vitrail.analysis.gradients import attention_gradients
from vitrail.core.errors import ConfigError

TARGET = torch.tensor([1, 3])


@pytest.fixture
def classifier(model):
    if model.config.pool.per_token:
        pytest.skip("it has no class for an image")
    return model.double()


@torch.no_grad()
def chosen_logits(model, batch, layer, change):
    """Change the attention of one block, go on through the fused path, and give the sum of the logits asked about."""
    x, grid = model.embed(batch), model.config.grid
    for number, (block, position) in enumerate(zip(model.blocks, model.position.by_layer, strict=True)):
        if number != layer:
            x = block(x, position, grid)
            continue
        x = position.enter(x, grid)
        q, k, v, bias = block.attn.project(block.norm1(x), position, grid)
        weights = (block.attn.scale * q @ k.transpose(2, 3) + (0 if bias is None else bias)).softmax(dim=-1) + change
        x = x + block.attn.proj((weights @ v).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm2(x))
    return model.forward_head(model.norm(x))[torch.arange(2), TARGET].sum()


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_gradients_are_what_a_small_change_of_the_weights_does(classifier, images, layer):
    batch = images(classifier).double()
    found = attention_gradients(classifier, batch, TARGET)
    direction = torch.randn(found.gradients[layer].shape, dtype=torch.float64)
    step = 1e-5 * direction
    rise = chosen_logits(classifier, batch, layer, step) - chosen_logits(classifier, batch, layer, -step)
    expected = (found.gradients[layer] * direction).sum()
    assert abs(expected) > 1e-5
    torch.testing.assert_close(rise / 2e-5, expected, rtol=1e-5, atol=1e-8)


def test_logits_are_those_of_the_fused_path(classifier, images):
    batch = images(classifier).double()
    found = attention_gradients(classifier, batch, TARGET)
    with torch.no_grad():
        torch.testing.assert_close(found.logits, classifier(batch), rtol=0, atol=1e-12)
    torch.testing.assert_close(found.read.sum(dim=1), torch.ones(2, dtype=torch.float64))


def test_both_tokens_of_a_distilled_model_are_read(make, images):
    model = make(distilled=True)
    read = attention_gradients(model, images(model), TARGET).read
    assert read.tolist() == [[0.5, 0.5] + 6 * [0.0]] * 2


def test_nothing_is_left_behind_in_the_model(make, images):
    model = make(drop_rate=0.5, attn_drop_rate=0.5, drop_path_rate=0.5).train()
    model.blocks[1].eval()
    modes = [module.training for module in model.modules()]
    first = attention_gradients(model, images(model), TARGET)
    again = attention_gradients(model.requires_grad_(False), images(model), TARGET)
    for one, other in zip(first.gradients, again.gradients, strict=True):
        assert torch.equal(one, other) and one.abs().max() > 0
        assert not one.requires_grad
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_works_where_gradients_are_off(make, images):
    model = make().eval()
    with torch.no_grad():
        assert attention_gradients(model, images(model), TARGET).gradients[0].abs().max() > 0


@pytest.mark.parametrize(
    ("fields", "target", "message"),
    [
        ({}, [1, 5], "target = 5 is not allowed; allowed: 0 … 4"),
        ({}, [-1, 0], "target = -1"),
        ({"num_classes": 0}, [0, 0], "no class"),
        ({"pool": "none"}, [0, 0], "no class"),
    ],
)
def test_a_class_that_does_not_exist_is_refused(make, images, fields, target, message):
    model = make(**fields)
    with pytest.raises(ConfigError, match=message):
        attention_gradients(model, images(model), torch.tensor(target))
