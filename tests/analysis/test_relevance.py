"""Gradient-weighted attention against closed forms."""

import numpy as np
import pytest
import torch

from vitrail.analysis import attention_relevance, attention_weights, gradient_attention, read_weights
from vitrail.core.errors import ConfigError


def one_head(matrix):
    return torch.as_tensor(matrix, dtype=torch.float64)[None, None]


def test_blocks_multiply_and_add_as_in_the_paper():
    """Two blocks by hand; what lowers the score counts as nothing; later blocks multiply from the left."""
    first, second = one_head([[0.5, 0.5], [0.2, 0.8]]), one_head([[0.1, 0.9], [0.6, 0.4]])
    slope, other = one_head([[2.0, -4.0], [5.0, 1.0]]), one_head([[10.0, 1.0], [-1.0, 2.0]])
    found = attention_relevance([first, second], [slope, other])[0]
    one, two = np.array([[1.0, 0.0], [1.0, 0.8]]), np.array([[1.0, 0.9], [0.0, 0.8]])
    expected = (np.eye(2) + one) + two @ (np.eye(2) + one)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-15)


def test_heads_are_averaged_after_their_losses_were_dropped():
    attention = torch.full((1, 2, 2, 2), 0.5)
    gradient = torch.tensor([[[[4.0, 4.0], [4.0, 4.0]], [[-4.0, -4.0], [-4.0, 8.0]]]])
    expected = torch.tensor([[[2.0, 1.0], [1.0, 4.0]]], dtype=torch.float64)
    torch.testing.assert_close(attention_relevance([attention], [gradient]), expected)


@torch.no_grad()
def linear_tail(make, **fields):
    """Give a model of one block whose logits are linear in its attention: no MLP, no normalisation at the end."""
    model = make(depth=1, norm="none", **fields).double()
    model.blocks[0].mlp.fc2.weight.zero_()
    model.blocks[0].mlp.fc2.bias.zero_()
    return model


@pytest.mark.parametrize("fields", [{}, {"pool": "mean", "class_token": False}, {"registers": 2}, {"pool": "mean"}])
@torch.no_grad()
def test_one_block_against_its_formula(make, images, fields):
    """By hand: the logit gains head · W_proj · v of the token attended to, as often as the head reads the reader."""
    model = linear_tail(make, **fields)
    batch, target = images(model).double(), torch.tensor([2, 4])
    attention, block = model.blocks[0].attn, model.blocks[0]
    x = model.embed(batch)
    v = attention.project(block.norm1(x), model.position.by_layer[0], model.config.grid)[2]
    per_head = (model.head.weight[target] @ attention.proj.weight).unflatten(1, (4, 4))
    gain = torch.einsum("ihd,ihkd->ihk", per_head, v)  # of a token that is read alone
    read, (weights,) = read_weights(model, batch), attention_weights(model, batch)
    slope = read[:, None, :, None] * gain[:, :, None, :]
    expected = torch.einsum("iq,iqk->ik", read, (weights * slope).clamp_min(0).mean(dim=1))
    prefix = model.config.tokens.count
    found = gradient_attention(model, batch, target)
    assert found.shape == (2, 2, 3)
    torch.testing.assert_close(found.flatten(1), expected[:, prefix:], rtol=1e-10, atol=1e-15)
    assert found.max() > 0


def test_it_knows_the_class(make, images):
    model = make().eval()
    batch = images(model)
    maps = [gradient_attention(model, batch, torch.tensor([one, one])) for one in (0, 1)]
    assert (maps[0] - maps[1]).abs().max() > 1e-4


def test_every_kind_of_model_has_a_map(model, images):
    batch, target = images(model), torch.tensor([1, 3])
    if model.config.pool.per_token:
        with pytest.raises(ConfigError, match="no class"):
            gradient_attention(model, batch, target)
        return
    found = gradient_attention(model, batch, target)
    assert found.shape == (2, *model.config.grid)
    assert (found >= 0).all() and found.isfinite().all() and found.max() > 0


def test_a_model_without_blocks_has_none(make, images):
    model = make(depth=0)
    with pytest.raises(ConfigError, match="no attention"):
        gradient_attention(model, images(model), torch.tensor([0, 0]))


@pytest.mark.parametrize("shapes", [[], [(1, 2, 3, 3)], [(1, 1, 4, 4), (1, 1, 3, 3)]])
def test_shapes_that_do_not_agree_are_refused(shapes):
    attentions = [torch.ones(1, 1, 4, 4), *(torch.ones(one) for one in shapes[1:])] if shapes else []
    with pytest.raises(ConfigError):
        attention_relevance(attentions, [torch.ones(one) for one in shapes])
