"""Position at the stem, in every layer, or in every layer with the same weights."""

import pytest
import torch

from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position import Learned1d, Learned1dConfig, NoPositionConfig, RelativeConfig

DEPTH = 3
TINY = {
    "img_size": (8, 12), "patch_size": 4, "embed_dim": 16, "depth": DEPTH, "num_heads": 2, "num_classes": 5,
}  # fmt: skip
NAMES = {
    ("learned_1d", "stem"): {"pos_embed"},
    ("learned_1d", "every_layer"): {"position.layers.N.pos_embed"},
    ("learned_1d", "every_layer_shared"): {"position.pos_embed"},
    ("learned_2d", "stem"): {"position.rows", "position.columns"},
    ("learned_2d", "every_layer"): {"position.layers.N.position.rows", "position.layers.N.position.columns"},
    ("learned_2d", "every_layer_shared"): {"position.position.rows", "position.position.columns"},
    ("sincos_2d", "stem"): set(),
    ("sincos_2d", "every_layer"): set(),
    ("relative", "every_layer"): {"position.layers.N.keys"},
    ("relative", "every_layer_shared"): {"position.keys"},
    ("relative_bias", "every_layer"): {"position.layers.N.relative_position_bias_table"},
    ("relative_bias", "every_layer_shared"): {"position.relative_position_bias_table"},
}


@torch.no_grad()
def make(kind, at, **fields):
    position = {"kind": kind, **({"at": at} if at else {})}
    model = VisionTransformer(ViTConfig.of(**{**TINY, **fields}, position=position)).double().eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def images():
    return torch.randn(2, 3, 8, 12, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("kind", "at"), NAMES, ids="-".join)
def test_names_of_parameters(kind, at):
    names = set(make(kind, at).state_dict()) - set(make("none", None).state_dict())
    each = {name.replace("N", str(index)) for name in NAMES[kind, at] for index in range(DEPTH)}
    assert names == each


@pytest.mark.parametrize("kind", ["learned_1d", "learned_2d"])
@pytest.mark.parametrize("at", ["every_layer", "every_layer_shared"])
@torch.no_grad()
def test_the_table_is_added_at_the_beginning_of_each_layer(kind, at):
    """Against a model without position, to whose tokens the table is added by hand."""
    model, plain = make(kind, at), make("none", None)
    plain.load_state_dict(model.state_dict(), strict=False)
    added = []
    for layer in model.position.by_layer:
        zeros = torch.zeros(1, 7, 16, dtype=torch.float64)
        added.append(layer.enter(zeros, (2, 3)))
        assert added[-1].abs().max() > 0.1
    assert torch.equal(added[0], added[1]) == (at == "every_layer_shared")
    x = plain.embed(images())
    assert torch.equal(model.embed(images()), x), "nothing is added at the stem"
    for block, table, nothing in zip(plain.blocks, added, plain.position.by_layer, strict=True):
        x = block(x + table, nothing, (2, 3))
    torch.testing.assert_close(model.forward_features(images()), plain.norm(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["learned_1d", "learned_2d", "relative", "relative_bias"])
@torch.no_grad()
def test_every_layer_with_equal_weights_is_the_shared_one(kind):
    each, shared = make(kind, "every_layer"), make(kind, "every_layer_shared")
    before = each(images())
    state = shared.state_dict()
    for name in set(each.state_dict()) - set(state):
        _, _, _, last = name.split(".", 3)
        state[name] = state[f"position.{last}"]
    own = {name: value for name, value in state.items() if name in each.state_dict()}
    each.load_state_dict(own, strict=True)
    torch.testing.assert_close(each(images()), shared(images()), rtol=0, atol=1e-13)
    assert (each(images()) - before).abs().max() > 1e-3


@torch.no_grad()
def test_each_layers_table_is_resized_as_the_one_at_the_stem():
    model = make("learned_1d", "every_layer")
    state = model.state_dict()
    resized = model.position.resize(state, (2, 3), (4, 5))
    for index in range(DEPTH):
        name = f"position.layers.{index}.pos_embed"
        expected = Learned1d(model.position.layout).resize({"pos_embed": state[name]}, (2, 3), (4, 5))["pos_embed"]
        assert expected.shape == (1, 21, 16)
        assert torch.equal(resized[name], expected)
    assert list(resized) == list(state)


def test_more_than_ten_layers_keep_their_own_weights():
    model = make("relative_bias", "every_layer", depth=12)
    state = model.state_dict()
    resized = model.position.resize(state, (2, 3), (2, 3))
    assert all(torch.equal(resized[name], value) for name, value in state.items())
    assert len({value.sum().item() for name, value in resized.items() if name.startswith("position.")}) == 12


def test_the_same_modules_serve_every_block_where_weights_are_shared():
    shared = make("relative", "every_layer_shared").position
    assert all(layer is shared for layer in shared.by_layer)
    assert len({id(layer) for layer in make("relative", "every_layer").position.by_layer}) == DEPTH


def test_a_place_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="position.at = 'head' is not allowed; allowed: stem, every_layer"):
        Learned1dConfig(at="head")
    with pytest.raises(ConfigError, match="position.at = 'stem' is not allowed; allowed: every_layer, every"):
        RelativeConfig(at="stem")
    with pytest.raises(ConfigError, match=r"unknown key 'at'|unknown key 'position.at'"):
        NoPositionConfig.choose({"kind": "none", "at": "stem"}, "position")
