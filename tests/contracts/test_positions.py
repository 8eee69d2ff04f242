"""What every kind of position must do; a new row of the table is covered without a change here."""

import typing

import pytest
import torch
from torch import nn

from vitrail.core.config import field_types, from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position import POSITIONS, Layout, NoPositionConfig, Position, PositionConfig


def choices():
    """Give every row by its defaults and with each other value of each field that has a few (such as its places)."""
    for row in POSITIONS.values():
        yield row.kind, row()
        for name, annotation in field_types(row).items():
            for value in typing.get_args(annotation):
                if value != getattr(row(), name):
                    yield f"{row.kind}-{value}", row(**{name: value})


CHOICES = dict(choices())
pytestmark = pytest.mark.parametrize("kind", CHOICES.values(), ids=CHOICES)
BATCH, DIM, HEADS, DEPTH = 3, 16, 2, 2
GRIDS = pytest.mark.parametrize("grid", [(2, 3), (4, 4), (1, 5)], ids=str)
PREFIX = pytest.mark.parametrize(
    "prefix", [(0, 0), (1, 0), (2, 0), (5, 4), (3, 3)], ids="{0[0]} before, {0[1]} registers".format
)


def build(kind, grid, prefix):
    position = kind.build(Layout(DIM, HEADS, DEPTH, grid, *prefix))
    table = position.table()
    with torch.no_grad():
        for parameter in (*position.parameters(), *([] if table is None else [table])):
            parameter.normal_()
    return position, table


def state_of(kind, grid, prefix):
    position, table = build(kind, grid, prefix)
    state = {f"position.{name}": value for name, value in position.state_dict().items()}
    return position, state if table is None else {**state, "pos_embed": table.detach()}


def tokens_for(grid, prefix):
    return torch.randn(BATCH, prefix[0] + grid[0] * grid[1], DIM)


def model_of(kind, grid, **fields):
    config = ViTConfig.of(
        img_size=(4 * grid[0], 4 * grid[1]), patch_size=4, embed_dim=DIM, depth=DEPTH, num_heads=HEADS, num_classes=3,
        position=kind, init="post", **fields,
    )  # fmt: skip
    return VisionTransformer(config)


def test_the_row_is_a_config_under_its_own_name(kind):
    row = POSITIONS[kind.kind]
    assert type(kind) is row
    assert issubclass(row, PositionConfig)
    assert PositionConfig.choose(kind.kind) == row()
    assert PositionConfig.choose(to_dict(kind)) == kind
    assert from_dict(ViTConfig, to_dict(ViTConfig(position=kind))).position == kind
    with pytest.raises(ConfigError, match="unknown key"):
        PositionConfig.choose({"kind": kind.kind, "no such field": 1})


def test_a_value_that_is_not_allowed_is_refused_with_its_field(kind):
    for name in field_types(type(kind)):
        wrong = {str: "no such name", float: -1.0, bool: 2}.get(type(getattr(kind, name)), object())
        with pytest.raises(ConfigError, match=f"position.{name} = "):
            PositionConfig.choose({"kind": kind.kind, name: wrong}, "position")


def test_every_block_is_given_a_position(kind):
    position, _ = build(kind, (2, 3), (1, 0))
    assert len(position.by_layer) == DEPTH
    assert all(isinstance(layer, Position) for layer in position.by_layer)
    assert kind.build(Layout(DIM, HEADS, 0, (2, 3), 1)).by_layer == []


@GRIDS
@PREFIX
def test_the_hooks_keep_the_shapes(kind, grid, prefix):
    position, table = build(kind, grid, prefix)
    assert isinstance(position, Position)
    tokens = tokens_for(grid, prefix)
    n = tokens.shape[1]
    assert position.add(tokens, table, grid).shape == tokens.shape
    assert torch.isfinite(position.add(tokens, table, grid)).all()
    q, k = torch.randn(2, BATCH, HEADS, n, DIM // HEADS)
    for layer in position.by_layer:
        assert layer.enter(tokens, grid).shape == tokens.shape
        assert torch.isfinite(layer.enter(tokens, grid)).all()
        new_q, new_k = layer.rotate(q, k, grid)
        assert new_q.shape == new_k.shape == q.shape
        bias = layer.bias(q, grid)
        if bias is not None:
            assert bias.shape in {(1, HEADS, n, n), (BATCH, HEADS, n, n)}
            assert torch.isfinite(bias).all()


@GRIDS
@PREFIX
def test_the_hooks_change_nothing_they_are_given(kind, grid, prefix):
    position, table = build(kind, grid, prefix)
    tokens = tokens_for(grid, prefix)
    q, k = torch.randn(2, BATCH, HEADS, tokens.shape[1], DIM // HEADS)
    before = tokens.clone(), q.clone(), k.clone()
    position.add(tokens, table, grid)
    for layer in position.by_layer:
        layer.enter(tokens, grid), layer.rotate(q, k, grid), layer.bias(q, grid)
    assert all(torch.equal(old, new) for old, new in zip(before, (tokens, q, k), strict=True))


def test_images_are_treated_one_by_one(kind):
    position, table = build(kind, (2, 3), (1, 0))
    tokens = tokens_for((2, 3), (1, 0))
    q, k = torch.randn(2, BATCH, HEADS, 7, DIM // HEADS)
    torch.testing.assert_close(position.add(tokens, table, (2, 3))[1:2], position.add(tokens[1:2], table, (2, 3)))
    for layer in position.by_layer:
        torch.testing.assert_close(layer.enter(tokens, (2, 3))[1:2], layer.enter(tokens[1:2], (2, 3)))
        for all_of_them, one in zip(layer.rotate(q, k, (2, 3)), layer.rotate(q[1:2], k[1:2], (2, 3)), strict=True):
            torch.testing.assert_close(all_of_them[1:2], one)
        whole = layer.bias(q, (2, 3))
        if whole is not None:
            torch.testing.assert_close(whole.expand(BATCH, -1, -1, -1)[1:2], layer.bias(q[1:2], (2, 3)))


def test_it_acts_unless_it_is_none(kind):
    """At the stem, or in every layer; where it learns a layer at a time, each layer in its own way."""
    position, table = build(kind, (2, 3), (1, 0))
    tokens, q = tokens_for((2, 3), (1, 0)), torch.randn(BATCH, HEADS, 7, DIM // HEADS)

    def done_by(layer):
        bias = layer.bias(q, (2, 3))
        turned = layer.rotate(q, q, (2, 3))[0]
        return [layer.enter(tokens, (2, 3)) - tokens, turned - q, torch.zeros(1) if bias is None else bias]

    at_the_stem = (position.add(tokens, table, (2, 3)) - tokens).abs().max()
    first, second = (done_by(layer) for layer in position.by_layer)
    in_layers = max(part.abs().max() for part in first)
    acts = at_the_stem > 0.1, in_layers > 0.1
    place = getattr(kind, "at", "every_layer_shared")
    assert acts == ((False, False) if kind.kind == "none" else (place == "stem", place != "stem"))
    apart = max((one - other).abs().max() for one, other in zip(first, second, strict=True))
    learned = any(True for _ in position.parameters())
    assert (apart > 0.1) == (place == "every_layer" and learned)


def test_the_table_is_a_parameter_that_the_model_keeps_under_timms_name(kind):
    model = model_of(kind, (2, 3))
    table = model.position.table()
    assert (model.pos_embed is None) == (table is None)
    if table is not None:
        assert isinstance(table, nn.Parameter)
        assert table.shape == model.pos_embed.shape
        assert "pos_embed" in model.state_dict()
    names = {name for name, _ in model.named_parameters()}
    without = {name for name, _ in model_of(NoPositionConfig(), (2, 3)).named_parameters()}
    assert all(name == "pos_embed" or name.startswith("position.") for name in names - without)


@pytest.mark.parametrize("distilled", [False, True], ids=["class token", "distilled"])
def test_a_model_with_it_learns(kind, distilled):
    torch.manual_seed(0)
    model = model_of(kind, (2, 3), distilled=distilled).train()
    out = model(torch.randn(2, 3, 8, 12))
    sum(logits.square().sum() for logits in (out if distilled else (out,))).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    if model.pos_embed is not None:
        assert model.pos_embed.grad.abs().max() > 0


def test_patches_are_told_apart_unless_it_is_none(kind):
    torch.manual_seed(0)
    model = model_of(kind, (3, 3)).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
        images = torch.randn(2, 3, 12, 12, dtype=torch.float64)
        moved = images.roll(4, dims=3).roll(8, dims=2)
        difference = (model(moved) - model(images)).abs().max().item()
    assert difference <= 1e-12 if kind.kind == "none" else difference > 1e-6


@GRIDS
@PREFIX
def test_resizing_to_the_same_grid_changes_nothing(kind, grid, prefix):
    position, state = state_of(kind, grid, prefix)
    resized = position.resize(state, grid, grid)
    assert resized.keys() == state.keys()
    for name, value in state.items():
        torch.testing.assert_close(resized[name], value, rtol=0, atol=1e-6)


@PREFIX
@pytest.mark.parametrize("new", [(4, 6), (2, 2), (7, 3), (1, 1)], ids="to {}".format)
def test_resizing_fits_the_other_grid_and_keeps_constants(kind, prefix, new):
    position, state = state_of(kind, (3, 4), prefix)
    other, wanted = state_of(kind, new, prefix)
    before = {name: value.clone() for name, value in state.items()}
    resized = position.resize(state, (3, 4), new)
    assert {name: value.shape for name, value in resized.items()} == {name: v.shape for name, v in wanted.items()}
    assert all(torch.isfinite(value).all() for value in resized.values())
    assert all(torch.equal(state[name], value) for name, value in before.items()), "what was given is left as it was"
    constant = position.resize({name: torch.full_like(value, 0.7) for name, value in state.items()}, (3, 4), new)
    for value in constant.values():
        torch.testing.assert_close(value, torch.full_like(value, 0.7), rtol=0, atol=1e-6)
    own = {name.removeprefix("position."): value for name, value in resized.items() if name.startswith("position.")}
    other.load_state_dict(own, strict=True)


def test_resizing_leaves_the_rest_of_the_model_alone(kind):
    model = model_of(kind, (3, 4))
    state = model.state_dict()
    resized = model.position.resize(state, (3, 4), (2, 5))
    other = model_of(kind, (2, 5))
    other.load_state_dict(resized, strict=True)
    for name in state:
        if name != "pos_embed" and not name.startswith("position."):
            assert resized[name] is state[name]


def test_a_model_with_it_runs_in_half_precision(kind):
    model = model_of(kind, (2, 3)).to(torch.bfloat16).eval()
    out = model(torch.randn(2, 3, 8, 12, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert torch.isfinite(out).all()


@torch.no_grad()
def randomised(model):
    for parameter in model.parameters():
        parameter.normal_(std=0.3)
    return model.eval()


def assert_it_is_the_resized_model(model, new):
    """Show it images of another grid: they are to give what a model gives that was made for it and has the weights."""
    other = model_of(model.config.position, new, registers=2).to(next(model.parameters()).dtype).eval()
    own = model.config.grid
    state = {name: value.clone() for name, value in model.state_dict().items()}
    other.load_state_dict(model.position.resize(state, own, new), strict=True)
    images = torch.randn(2, 3, 4 * new[0], 4 * new[1], dtype=next(model.parameters()).dtype)
    with torch.no_grad():
        expected = other(images)
        assert expected.abs().max() > 1e-3
        torch.testing.assert_close(model(images), expected, rtol=0, atol=1e-12)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("new", [(4, 6), (2, 2), (7, 3), (1, 1), (4, 3), (2, 6), (3, 4)], ids="at {}".format)
def test_at_another_grid_a_model_is_the_one_that_was_resized(kind, new):
    model = randomised(model_of(kind, (3, 4), registers=2, dynamic=True).double())
    assert_it_is_the_resized_model(model, new)


def test_at_another_grid_it_learns(kind):
    model = model_of(kind, (3, 4), registers=2, dynamic=True).train()
    model(torch.randn(2, 3, 8, 20)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if name == "pos_embed" or name.startswith("position."):
            assert parameter.grad.abs().max() > 0, name


def test_at_another_grid_it_runs_in_half_precision(kind):
    model = model_of(kind, (3, 4), registers=2, dynamic=True).to(torch.bfloat16).eval()
    out = model(torch.randn(2, 3, 8, 20, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert torch.isfinite(out).all()
