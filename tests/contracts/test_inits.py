"""What every scheme of initial weights must do."""

import pytest
import torch

from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.init import INITS

pytestmark = pytest.mark.parametrize("scheme", INITS)
FIELDS = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 3, "num_heads": 4, "num_classes": 7}


def made(scheme, seed=0, **fields):
    torch.manual_seed(seed)
    return VisionTransformer(ViTConfig.of(**FIELDS, **fields, init=scheme))


@pytest.mark.parametrize(
    "fields",
    [{}, {"distilled": True}, {"stem": "conv", "pool": "mean"}, {"has_logits": True, "norm": "rms_norm"}],
    ids=["plain", "distilled", "conv stem", "pre-logits"],
)
def test_everything_begins_finite_and_small(scheme, fields):
    model = made(scheme, **fields)
    for name, parameter in model.named_parameters():
        assert torch.isfinite(parameter).all(), name
        assert parameter.abs().max() <= 1.5, name
    out = model.eval()(torch.randn(4, 3, 32, 32))
    assert torch.isfinite(out).all()
    assert out.abs().max() < 10


def test_the_seed_decides_everything_and_matters(scheme):
    first, again, other = (made(scheme, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["blocks.0.attn.qkv.weight"], other["blocks.0.attn.qkv.weight"])


def test_weights_differ_between_blocks_and_between_queries_keys_and_values(scheme):
    model = made(scheme)
    q, k, v = model.blocks[0].attn.qkv.weight.chunk(3)
    assert len({tuple(part[0].tolist()) for part in (q, k, v, model.blocks[1].attn.qkv.weight[:64])}) == 4


def test_it_does_not_depend_on_what_was_there_before(scheme):
    """Every dense and convolutional layer is drawn by the scheme, none is left to torch's own default."""
    model = made(scheme, stem="conv")
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Linear | torch.nn.Conv2d):
                module.weight.fill_(torch.nan)
                if module.bias is not None:
                    module.bias.fill_(torch.nan)
    for name, module in model.named_modules():
        with torch.no_grad():
            INITS[scheme](name, module)
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_activations_stay_of_order_one_through_the_blocks(scheme):
    model = made(scheme).eval()
    tokens = model.embed(torch.randn(8, 3, 32, 32))
    before = tokens.std().item()
    for block in model.blocks:
        tokens = block(tokens, model.position, model.config.grid)
    assert 0.5 * before < tokens.std().item() < 20 * max(before, 0.1)


def test_a_first_step_lowers_the_loss(scheme):
    model = made(scheme).train()
    images, labels = torch.randn(14, 3, 32, 32), torch.arange(14) % 7
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(8):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] - 0.1
