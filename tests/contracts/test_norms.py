"""What every kind of normalisation must do."""

import pytest
import torch

from vitrail.core.config import from_dict, to_dict
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.block_config import BlockConfig
from vitrail.nn.norm import NORMS, NormConfig

KINDS = pytest.mark.parametrize("kind", NORMS)
NORMALISING = pytest.mark.parametrize("kind", [kind for kind in NORMS if kind != "none"])


@KINDS
def test_the_row_is_a_config_under_its_own_name(kind):
    row = NORMS[kind]
    assert issubclass(row, NormConfig)
    assert row.kind == kind
    assert NormConfig.choose(kind) == row()
    assert from_dict(BlockConfig, to_dict(BlockConfig(norm=row()))).norm == row()


@NORMALISING
@pytest.mark.parametrize("scale", [1e-2, 1.0, 1e3])
def test_tokens_come_out_with_a_root_mean_square_of_one_whatever_their_scale(kind, scale):
    out = NORMS[kind]().build(64)(scale * torch.randn(2, 5, 64))
    assert out.shape == (2, 5, 64)
    torch.testing.assert_close(out.square().mean(dim=-1).sqrt(), torch.ones(2, 5), rtol=0, atol=0.01)


@KINDS
def test_each_token_is_normalised_by_itself(kind):
    norm, tokens = NORMS[kind]().build(8), torch.randn(2, 5, 8)
    torch.testing.assert_close(norm(tokens)[1:, 2:3], norm(tokens[1:, 2:3]))
    order = torch.randperm(5)
    torch.testing.assert_close(norm(tokens[:, order]), norm(tokens)[:, order])


@KINDS
def test_zeros_do_not_become_nan(kind):
    tokens = torch.zeros(1, 2, 8, requires_grad=True)
    out = NORMS[kind]().build(8)(tokens)
    (grad,) = torch.autograd.grad(out.sum(), tokens)
    assert torch.isfinite(out).all() and torch.isfinite(grad).all()


@NORMALISING
def test_it_has_a_weight_that_begins_at_one_and_perhaps_a_bias_at_zero(kind):
    parameters = dict(NORMS[kind]().build(8).named_parameters())
    assert set(parameters) in ({"weight"}, {"weight", "bias"})
    for name, parameter in parameters.items():
        assert torch.equal(parameter, torch.full((8,), float(name == "weight")))


@KINDS
def test_a_model_uses_it_everywhere(kind):
    model = VisionTransformer(ViTConfig.of(img_size=8, patch_size=4, embed_dim=8, depth=2, num_heads=2, norm=kind))
    expected = type(NORMS[kind]().build(8))
    used = [model.norm, *(norm for block in model.blocks for norm in (block.norm1, block.norm2))]
    assert [type(norm) for norm in used] == [expected] * 5
    assert torch.isfinite(model(torch.randn(2, 3, 8, 8))).all()


def test_none_is_the_identity():
    tokens = torch.randn(2, 5, 8)
    assert NORMS["none"]().build(8)(tokens) is tokens
