"""Maps of images: whose attention, and where on the grid."""

import pytest
import torch

from vitrail.analysis import (
    attention_maps,
    attention_rollout,
    attention_weights,
    head_maps,
    patch_map,
    read_weights,
)
from vitrail.core.errors import ConfigError


def test_the_class_tokens_row_is_laid_out_on_the_grid():
    attention = torch.arange(64.0).reshape(1, 8, 8)
    expected = torch.tensor([[[2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]])
    assert torch.equal(patch_map(attention, (2, 3), torch.eye(8)[:1]), expected)


def test_read_from_every_patch_alike_it_is_what_a_patch_receives_from_all():
    attention = torch.rand(3, 7, 7)
    found = patch_map(attention, (2, 3), torch.tensor([0.0] + [1 / 6] * 6).expand(3, -1))
    for row in range(2):
        for column in range(3):
            received = attention[:, 1:, 1 + 3 * row + column].mean(dim=1)
            torch.testing.assert_close(found[:, row, column], received)


def test_maps_are_those_of_the_weights(model, images):
    batch = images(model)
    maps = attention_maps(model, batch)
    weights = list(attention_weights(model, batch))
    words = {
        "class_token": "the class token",
        "mean": "all patches, on average",
        "map": "all patches, as the pooling weighs them",
        "seq": "all patches, as the pooling weighs them",
        "none": "each patch by itself, on average",
    }
    assert maps.query == words[model.config.pool.kind]
    assert maps.last.shape == maps.rollout.shape == (2, *model.config.grid)
    read = read_weights(model, batch)
    last = patch_map(weights[-1].double().mean(dim=1), model.config.grid, read)
    torch.testing.assert_close(maps.last, last)
    torch.testing.assert_close(maps.rollout, patch_map(attention_rollout(weights), model.config.grid, read))
    assert (maps.last > 0).all()
    assert (maps.rollout.sum(dim=(1, 2)) <= 1 + 1e-6).all()


@torch.no_grad()
def test_a_token_that_is_sought_lights_up_in_its_place(make):
    """Let the key of one patch agree with every query, and everything else be the same."""
    model = make(depth=1, num_heads=1, position="none", img_size=(12, 16))
    patch = torch.zeros(1, 3, 12, 16)
    patch[:, :, 8:12, 4:8] = 1  # row 2, column 1
    plain = attention_maps(model, torch.zeros_like(patch)).last[0]
    assert torch.allclose(plain, plain[0, 0].expand(3, 4))
    query_weight, key_weight = model.blocks[0].attn.qkv.weight[:16], model.blocks[0].attn.qkv.weight[16:32]
    tokens = model.blocks[0].norm1(model.embed(patch))[0]
    query_weight.zero_()
    model.blocks[0].attn.qkv.bias[:16] = key_weight @ (tokens[1 + 9] - tokens[1]) * 3
    last = attention_maps(model, patch).last[0]
    assert divmod(int(last.argmax()), 4) == (2, 1)
    assert last[2, 1] > 5 * last[0, 0]


@torch.no_grad()
def test_the_head_reads_what_its_pooling_weighs(model, images):
    """A pooling by attention is rebuilt from its weights; the others are their weighted mean of the tokens."""
    batch, pool = images(model), model.attn_pool
    tokens, prefix = model.forward_features(batch), model.config.tokens.count
    read = read_weights(model, batch)
    torch.testing.assert_close(read.sum(dim=1), torch.ones(2))
    kind = model.config.pool.kind
    if kind == "map":
        values = pool.kv(tokens[:, prefix:])[:, :, 16:].unflatten(2, (4, 4))
        weights = pool.attention(tokens, prefix)
        x = pool.proj(torch.einsum("bhp,bphd->bhd", weights, values).flatten(1))
        torch.testing.assert_close(x + pool.mlp(pool.norm(x)), pool(tokens, prefix))
        torch.testing.assert_close(read[:, prefix:], weights.mean(dim=1))
        assert not read[:, :prefix].any()
    else:
        expected = tokens[:, prefix:].mean(dim=1) if kind == "none" else pool(tokens, prefix)
        torch.testing.assert_close(torch.einsum("bt,btd->bd", read, tokens), expected)


def test_a_model_without_blocks_has_nothing_to_show(make, images):
    model = make(depth=0)
    with pytest.raises(ConfigError, match="depth"):
        attention_maps(model, images(model))


def test_heads_have_maps_whose_mean_is_that_of_the_layer(make, images):
    model = make()
    batch = images(model)
    weights = list(attention_weights(model, batch))
    for layer in range(3):
        found = head_maps(model, batch, layer)
        assert found.shape == (2, 4, 2, 3)
        torch.testing.assert_close(found[:, 2], weights[layer][:, 2, 0, 1:].double().unflatten(1, (2, 3)))
    torch.testing.assert_close(found.mean(dim=1), attention_maps(model, batch).last)


@pytest.mark.parametrize("layer", [-1, 3])
def test_a_layer_that_does_not_exist_is_refused(make, images, layer):
    model = make()
    with pytest.raises(ConfigError, match=f"layer = {layer} does not exist; this model has 0 … 2"):
        head_maps(model, images(model), layer)
