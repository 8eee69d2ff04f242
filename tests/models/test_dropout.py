"""What is dropped while training, where, and by how much."""

import pytest
import torch
from torch import nn

from vitrail.nn.drop_path import DropPath


@pytest.mark.parametrize(
    ("depth", "rate", "expected"),
    [
        (12, 0.22, [0.02 * index for index in range(12)]),
        (4, 0.3, [0.0, 0.1, 0.2, 0.3]),
        (2, 0.5, [0.0, 0.5]),
        (1, 0.5, [0.0]),
        (3, 0.0, [0.0, 0.0, 0.0]),
    ],
)
def test_stochastic_depth_rises_linearly_from_0(depth, rate, expected, tiny):
    model = tiny(depth=depth, drop_path_rate=rate)
    assert [block.drop_path1.rate for block in model.blocks] == pytest.approx(expected)
    assert [block.drop_path2.rate for block in model.blocks] == pytest.approx(expected)


def test_dropout_is_where_the_paper_has_it(tiny):
    """After every dense layer but those of q, k and v, and after the position; none on the head."""
    model = tiny(drop_rate=0.1, attn_drop_rate=0.2)
    rates = {name: module.p for name, module in model.named_modules() if isinstance(module, nn.Dropout)}
    of_blocks = {
        f"blocks.{index}.{name}": 0.1 for index in (0, 1) for name in ("attn.proj_drop", "mlp.drop1", "mlp.drop2")
    }
    assert rates == {"pos_drop": 0.1, **of_blocks}
    assert [block.attn.attn_drop for block in model.blocks] == [0.2, 0.2]


def test_dropout_after_the_position_and_before_the_first_block(tiny, images_for):
    model = tiny(drop_rate=0.5).train()
    torch.manual_seed(0)
    tokens = model.embed(images_for(model, batch=64))
    whole = model.eval().embed(images_for(model, batch=64))
    dropped = tokens == 0
    assert 0.45 < dropped.float().mean() < 0.55
    assert 0.4 < dropped[:, 0].float().mean() < 0.6, "the class token too"
    torch.testing.assert_close(tokens[~dropped], 2 * whole[~dropped])


@pytest.mark.parametrize("name", ["drop_rate", "attn_drop_rate", "drop_path_rate"])
def test_each_rate_acts_while_training_only(name, tiny, images_for):
    model, plain = tiny(**{name: 0.5}), tiny()
    images = images_for(model, batch=4)
    torch.manual_seed(0)
    with torch.no_grad():
        first, second = model.train()(images), model(images)
        assert not torch.equal(first, second)
        torch.manual_seed(0)
        assert torch.equal(model(images), first), "the seed decides"
        assert torch.equal(model.eval()(images), plain.eval()(images))
        assert torch.equal(plain.train()(images), plain.eval()(images)), "nothing is dropped unless asked for"


def test_the_mean_of_many_dropped_passes_is_near_the_whole(tiny, images_for):
    """With a linear path (no block), dropout's expectation is the undropped output."""
    model = tiny(depth=0, drop_rate=0.3, num_classes=0).train()
    image = images_for(model, batch=1)
    torch.manual_seed(0)
    with torch.no_grad():
        mean = model.embed(image.expand(20_000, -1, -1, -1)).mean(dim=0)
        whole = model.eval().embed(image)[0]
    assert (mean - whole).abs().max() < 5 * whole.abs().max() * (0.3 / 0.7 / 20_000) ** 0.5


def test_stochastic_depth_drops_both_branches_of_a_sample_apart(tiny):
    model = tiny(depth=3, drop_path_rate=0.5).train()
    kept = {}

    def watch(name):
        def hook(_, inputs, out):
            kept[name] = (out != 0).flatten(1).any(dim=1)

        return hook

    for name, module in model.named_modules():
        if isinstance(module, DropPath):
            module.register_forward_hook(watch(name))
    torch.manual_seed(0)
    n = 4000
    model(torch.randn(n, 3, 8, 12))
    rates = {name: 1 - flags.float().mean().item() for name, flags in kept.items()}
    expected = {f"blocks.{index}.drop_path{half}": index / 4 for index in range(3) for half in (1, 2)}
    assert rates == pytest.approx(expected, abs=4 * 0.5 / n**0.5)
    both = torch.stack([kept["blocks.2.drop_path1"], kept["blocks.2.drop_path2"]]).float()
    assert abs(torch.corrcoef(both)[0, 1]) < 4 / n**0.5
