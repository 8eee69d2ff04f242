"""Learned 1-D position: what is added, and how it is carried to another grid."""

from dataclasses import replace

import pytest
import torch
from timm.layers import resample_abs_pos_embed

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.models import ViTConfig
from vitrail.nn.position import Layout, Learned1d, Learned1dConfig, NoPositionConfig, Position
from vitrail.nn.position.resample import RULES, resample

LAYOUT = Layout(embed_dim=8, num_heads=2, depth=1, grid=(4, 6), prefix_tokens=2)


def test_the_table_has_a_row_for_every_token_and_is_added():
    torch.manual_seed(0)
    position = Learned1d(LAYOUT)
    table = position.table()
    assert table.shape == (1, 2 + 24, 8)
    tokens = torch.randn(3, 26, 8)
    assert torch.equal(position.add(tokens, table, (4, 6)), tokens + table)


@pytest.mark.parametrize(("covers", "entries"), [("all", 6), ("class", 2), ("patches", 0)])
def test_tokens_without_an_entry_stay_as_they_are(covers, entries):
    """Class token, distillation token, four registers, patches: entries are in the order of the tokens."""
    torch.manual_seed(0)
    position = Learned1d(Layout(8, 2, 1, (4, 6), prefix_tokens=6, registers=4), covers)
    table = position.table()
    assert table.shape == (1, entries + 24, 8)
    tokens = torch.randn(3, 30, 8)
    added = position.add(tokens, table, (4, 6))
    assert torch.equal(added[:, :entries], tokens[:, :entries] + table[:, :entries])
    assert torch.equal(added[:, entries:6], tokens[:, entries:6])
    assert torch.equal(added[:, 6:], tokens[:, 6:] + table[:, entries:])


@pytest.mark.parametrize(("covers", "entries"), [("all", 6), ("class", 2), ("patches", 0)])
def test_resizing_touches_the_patches_alone(covers, entries):
    torch.manual_seed(0)
    position = Learned1d(Layout(8, 2, 1, (4, 6), prefix_tokens=6, registers=4), covers)
    old = torch.randn(1, entries + 24, 8)
    new = position.resize({"pos_embed": old}, (4, 6), (5, 3))["pos_embed"]
    expected = resample_abs_pos_embed(old, [5, 3], [4, 6], num_prefix_tokens=entries)
    torch.testing.assert_close(new, expected, rtol=0, atol=1e-6)


def test_other_tokens_are_refused():
    with pytest.raises(
        ConfigError, match=r"position.covers = 'registers' is not allowed; allowed: all, class, patches"
    ):
        Learned1dConfig(covers="registers")


def test_the_table_begins_with_standard_deviation_0_02():
    torch.manual_seed(0)
    table = Learned1d(Layout(512, 8, 1, (14, 14), 1)).table()
    assert table.std().item() == pytest.approx(0.02, rel=0.02)
    assert abs(table.mean().item()) < 4 * 0.02 / table.numel() ** 0.5


@pytest.mark.parametrize("new", [(4, 6), (8, 12), (3, 3), (2, 9), (1, 1), (24, 24)], ids=str)
def test_resizing_is_timms(new):
    torch.manual_seed(0)
    old = torch.randn(1, 26, 8)
    new_table = Learned1d(LAYOUT).resize({"pos_embed": old, "x": old}, (4, 6), new)["pos_embed"]
    expected = resample_abs_pos_embed(old, list(new), [4, 6], num_prefix_tokens=2)
    torch.testing.assert_close(new_table, expected, rtol=0, atol=1e-6)


def test_resizing_keeps_the_prefix_the_rest_and_what_was_given():
    state = {"pos_embed": torch.randn(1, 26, 8), "head.weight": torch.randn(3)}
    before = state["pos_embed"].clone()
    resized = Learned1d(LAYOUT).resize(state, (4, 6), (2, 2))
    assert torch.equal(resized["pos_embed"][:, :2], before[:, :2])
    assert resized["head.weight"] is state["head.weight"]
    assert list(resized) == list(state)
    assert torch.equal(state["pos_embed"], before)


def test_a_half_precision_table_stays_half_precision():
    state = {"pos_embed": torch.randn(1, 26, 8).bfloat16()}
    assert Learned1d(LAYOUT).resize(state, (4, 6), (2, 2))["pos_embed"].dtype == torch.bfloat16


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("covers", ["all", "class", "patches"])
def test_the_rule_is_the_same_for_the_state_and_on_the_fly(covers, rule):
    torch.manual_seed(0)
    layout = Layout(8, 2, 1, (4, 6), prefix_tokens=6, registers=4)
    position = Learned1dConfig(covers=covers, resize=rule).build(layout)
    table = position.table()
    resized = position.resize({"pos_embed": table}, (4, 6), (5, 3))["pos_embed"]
    patches = table[0, -24:].reshape(4, 6, 8)
    assert torch.equal(resized[0, -15:].reshape(5, 3, 8), resample(patches, (5, 3), rule))
    tokens = torch.randn(3, 6 + 15, 8)
    other = Learned1dConfig(covers=covers, resize=rule).build(replace(layout, grid=(5, 3)))
    assert torch.equal(position.add(tokens, table, (5, 3)), other.add(tokens, resized, (5, 3)))


def test_the_rule_is_written_with_the_config():
    config = ViTConfig(position=Learned1dConfig(resize="google"))
    assert to_dict(config)["position"]["resize"] == "google"
    assert from_dict(ViTConfig, to_dict(config)) == config
    assert config.updated(**{"position.resize": "dinov2"}).position == Learned1dConfig(resize="dinov2")


def test_the_base_does_nothing():
    position = NoPositionConfig().build(LAYOUT)
    assert type(position) is Position
    tokens, q, k = torch.randn(1, 26, 8), torch.randn(1, 2, 26, 4), torch.randn(1, 2, 26, 4)
    assert position.table() is None
    assert position.add(tokens, None, (4, 6)) is tokens
    assert position.rotate(q, k, (4, 6)) == (q, k)
    assert position.bias(q, (4, 6)) is None
    state = {"x": tokens}
    assert position.resize(state, (4, 6), (2, 2)) is state
    assert list(position.parameters()) == []
