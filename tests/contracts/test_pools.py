"""What every kind of pooling must do."""

import pytest
import torch

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling import POOLS, PoolConfig

KINDS = pytest.mark.parametrize("kind", POOLS)
VECTORS = [kind for kind in POOLS if kind != "none"]
KINDS_AND_PREFIXES = pytest.mark.parametrize(
    ("kind", "prefix"), [(kind, prefix) for kind in VECTORS for prefix in range(POOLS[kind].needs_class_token, 3)]
)


def build(kind, dim=8):
    return POOLS[kind]().build(dim, BlockConfig(num_heads=2))


@KINDS
def test_the_row_is_a_config_under_its_own_name(kind):
    row = POOLS[kind]
    assert issubclass(row, PoolConfig)
    assert row.kind == kind
    assert PoolConfig.choose(kind) == row()
    assert from_dict(ViTConfig, to_dict(ViTConfig(pool=row()))).pool == row()
    assert isinstance(row().norm_after, bool)
    assert isinstance(row.needs_class_token, bool)


@KINDS_AND_PREFIXES
def test_tokens_become_one_vector_each_image_by_itself(kind, prefix):
    pool = build(kind)
    tokens = torch.randn(3, prefix + 6, 8, requires_grad=True)
    out = pool(tokens, prefix)
    assert out.shape == (3, 8)
    torch.testing.assert_close(pool(tokens[1:2], prefix), out[1:2])
    (grad,) = torch.autograd.grad(out[1].square().sum(), tokens)
    assert grad[1].abs().max() > 0
    assert grad[[0, 2]].abs().max() == 0


@pytest.mark.parametrize(("kind", "prefix"), [("class_token", 1), ("mean", 0), ("mean", 2)])
def test_tokens_all_alike_are_pooled_to_that_token(kind, prefix):
    token = torch.randn(1, 1, 8)
    out = build(kind)(token.expand(2, prefix + 6, 8), prefix)
    torch.testing.assert_close(out, token[:, 0].expand(2, 8))


def test_without_pooling_every_token_stays():
    tokens = torch.randn(2, 7, 8)
    assert torch.equal(build("none")(tokens, 1), tokens)
    fields = {"img_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2, "num_classes": 5}
    assert VisionTransformer(ViTConfig.of(**fields, pool="none"))(torch.randn(2, 3, 8, 8)).shape == (2, 5, 5)


@pytest.mark.parametrize("kind", VECTORS)
def test_either_the_class_token_counts_or_the_patches_do(kind):
    tokens = torch.randn(1, 8, 4, requires_grad=True)
    (grad,) = torch.autograd.grad(build(kind, dim=4)(tokens, 2).square().sum(), tokens)
    counts = grad.abs().amax(dim=(0, 2)) > 0
    assert counts[0] == POOLS[kind].needs_class_token
    assert not counts[1], "the distillation token has a head of its own"
    assert counts[2:].all() != POOLS[kind].needs_class_token


@KINDS
def test_a_model_with_it_normalises_once_in_the_right_place(kind):
    model = VisionTransformer(ViTConfig.of(img_size=8, patch_size=4, embed_dim=8, depth=1, num_heads=2, pool=kind))
    names = {name for name, _ in model.named_parameters() if name.split(".")[0] in {"norm", "fc_norm"}}
    where = "fc_norm" if POOLS[kind]().norm_after else "norm"
    assert names == {f"{where}.weight", f"{where}.bias"}


@KINDS
def test_a_model_with_it_learns_and_needs_what_it_says(kind):
    fields = {"img_size": 8, "patch_size": 4, "embed_dim": 8, "depth": 1, "num_heads": 2, "init": "post", "pool": kind}
    for class_token in (True, False):
        if POOLS[kind].needs_class_token and not class_token:
            with pytest.raises(ConfigError, match="class_token = False"):
                ViTConfig.of(**fields, class_token=False)
            continue
        model = VisionTransformer(ViTConfig.of(**fields, class_token=class_token))
        model(torch.randn(2, 3, 8, 8)).square().sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters())
