"""The weights written out are those of the fused path, for every kind of model."""

import torch

from vitrail.analysis import attention_weights


def outputs_of_blocks(model, weights, x):
    """Go through the blocks with given attention weights in place of the fused attention."""
    for block, one, position in zip(model.blocks, weights, model.position.by_layer, strict=True):
        attention = block.attn
        x = position.enter(x, model.config.grid)
        value = attention.project(block.norm1(x), position, model.config.grid)[2]
        x = x + attention.proj((one @ value).transpose(1, 2).flatten(2))
        x = x + block.mlp(block.norm2(x))
    return model.norm(x)


@torch.no_grad()
def test_weights_give_what_the_fused_path_gives(model, images):
    batch = images(model)
    weights = list(attention_weights(model, batch))
    heads, tokens = model.config.block.num_heads, model.config.num_tokens
    assert [tuple(one.shape) for one in weights] == [(2, heads, tokens, tokens)] * 3
    expected = model.forward_features(batch)
    assert expected.std() > 0.1
    torch.testing.assert_close(outputs_of_blocks(model, weights, model.embed(batch)), expected, rtol=0, atol=1e-5)
    if tokens > 1:
        uniform = [torch.full_like(one, 1 / tokens) for one in weights]
        assert (outputs_of_blocks(model, uniform, model.embed(batch)) - expected).abs().max() > 1e-3


def test_rows_sum_to_1(model, images):
    for weights in attention_weights(model, images(model)):
        torch.testing.assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:3]))
        assert not weights.requires_grad


def test_dropout_is_off_and_the_mode_stays(make, images):
    rates = {"drop_rate": 0.5, "attn_drop_rate": 0.5, "drop_path_rate": 0.5}
    dropping, plain = make(**rates).train(), make().eval()
    dropping.blocks[1].eval()
    modes = [module.training for module in dropping.modules()]
    batch = images(plain)
    for one, other in zip(attention_weights(dropping, batch), attention_weights(plain, batch), strict=True):
        assert torch.equal(one, other)
        assert [module.training for module in dropping.modules()] == modes


def test_one_block_is_computed_at_a_time(make, images):
    model = make()
    model.blocks[2].attn = model.blocks[1].attn = None
    weights = attention_weights(model, images(model))
    assert next(weights).shape == (2, 4, 7, 7)
