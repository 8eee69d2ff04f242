"""Learned 2-D position: column beside row, and how both are carried to another grid."""

import pytest
import torch
from timm.layers import resample_abs_pos_embed

from vitrail.core.errors import ConfigError
from vitrail.nn.position import Layout, Learned2d, Learned2dConfig
from vitrail.nn.position.resample import RULES, resample

GRID = (3, 4)


def layout(prefix=2, grid=GRID, dim=8):
    return Layout(embed_dim=dim, num_heads=2, depth=1, grid=grid, prefix_tokens=prefix)


def added(position):
    """Give what is added to tokens that are zero."""
    count = position.layout.num_tokens
    return position.add(torch.zeros(1, count, position.layout.embed_dim), None, position.layout.grid)[0].detach()


@pytest.mark.parametrize("prefix", [0, 1, 2])
@pytest.mark.parametrize("own", [False, True], ids=["prefix as it is", "prefix with vectors"])
def test_a_patch_gets_the_vector_of_its_column_then_that_of_its_row(prefix, own):
    position = Learned2d(layout(prefix), prefix=own)
    got = added(position)
    for index in range(prefix):
        assert torch.equal(got[index], position.prefix[index] if own else torch.zeros(8))
    for row in range(3):
        for column in range(4):
            expected = torch.cat([position.columns[column], position.rows[row]])
            assert torch.equal(got[prefix + 4 * row + column], expected)


def test_registers_have_no_position():
    position = Learned2d(Layout(8, 2, 1, GRID, prefix_tokens=6, registers=4), prefix=True)
    assert position.prefix.shape == (2, 8)
    got = added(position)
    assert torch.equal(got[:2], position.prefix)
    assert torch.equal(got[2:6], torch.zeros(4, 8))
    assert torch.equal(got[6], torch.cat([position.columns[0], position.rows[0]]))


def test_the_tables_have_half_the_width_and_begin_with_standard_deviation_0_02():
    position = Learned2d(Layout(768, 12, 12, (14, 14), 1), prefix=True)
    assert {name: tuple(value.shape) for name, value in position.named_parameters()} == {
        "columns": (14, 384), "rows": (14, 384), "prefix": (1, 768),
    }  # fmt: skip
    for name, value in position.named_parameters():
        assert value.std().item() == pytest.approx(0.02, rel=5 / (2 * value.numel()) ** 0.5), name
    assert dict(Learned2d(layout(0), prefix=True).named_parameters()).keys() == {"columns", "rows"}


@pytest.mark.parametrize("new", [(6, 8), (2, 2), (5, 3), (1, 1), (3, 9)], ids=str)
def test_resizing_the_halves_is_resizing_the_whole_as_timm_does(new):
    old, other = Learned2d(layout(1), prefix=True), Learned2d(layout(1, new), prefix=True)
    state = {f"position.{name}": value for name, value in old.state_dict().items()}
    resized = old.resize(state, GRID, new)
    other.load_state_dict({name.removeprefix("position."): value for name, value in resized.items()}, strict=True)
    expected = resample_abs_pos_embed(added(old)[None], list(new), list(GRID), num_prefix_tokens=1)[0]
    torch.testing.assert_close(added(other), expected, rtol=0, atol=1e-7)


def test_an_odd_width_is_refused():
    with pytest.raises(ConfigError, match="embed_dim = 9 is not allowed; allowed: even numbers"):
        Learned2d(layout(dim=9))


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_the_same_for_the_state_and_on_the_fly(rule):
    position = Learned2dConfig(prefix=True, resize=rule).build(layout(2))
    other = Learned2dConfig(prefix=True, resize=rule).build(layout(2, (5, 3)))
    state = {f"position.{name}": value for name, value in position.state_dict().items()}
    resized = {name.removeprefix("position."): value for name, value in position.resize(state, GRID, (5, 3)).items()}
    alone = resample(position.rows[:, None], (5, 1), rule)[:, 0]
    torch.testing.assert_close(resized["rows"], alone, rtol=0, atol=1e-7)
    other.load_state_dict(resized, strict=True)
    tokens = torch.randn(1, 2 + 15, 8)
    assert torch.equal(position.add(tokens, None, (5, 3)), other.add(tokens, None, (5, 3)))
