"""The table of biases by relative place against timm's, and against the formula of its index."""

import pytest
import torch
from timm.layers import RelPosBias, gen_relative_position_index, resample_abs_pos_embed

from vitrail.nn.position import Layout, RelativeBias

HEADS = 3


def biased(grid, prefix):
    position = RelativeBias(Layout(4 * HEADS, HEADS, 1, grid, prefix))
    with torch.no_grad():
        position.relative_position_bias_table.normal_()
    return position


@torch.no_grad()
def bias_of(position):
    q = torch.randn(2, HEADS, position.layout.num_tokens, 4)
    return position.bias(q, position.layout.grid)


@pytest.mark.parametrize("grid", [(14, 14), (7, 7), (2, 3), (1, 5), (1, 1)], ids=str)
@pytest.mark.parametrize("prefix", [0, 1])
@torch.no_grad()
def test_it_is_timms(grid, prefix):
    position = biased(grid, prefix)
    theirs = RelPosBias(grid, HEADS, prefix_tokens=prefix)
    theirs.load_state_dict(position.state_dict(), strict=True)
    assert torch.equal(bias_of(position), theirs.get_bias().reshape(1, HEADS, *[position.layout.num_tokens] * 2))
    index = gen_relative_position_index(grid, class_token=prefix > 0)
    assert torch.equal(bias_of(position)[0, 1], position.relative_position_bias_table[:, 1][index])


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@torch.no_grad()
def test_it_is_the_formula(prefix):
    rows, columns = grid = (2, 3)
    position = biased(grid, prefix)
    table, bias = position.relative_position_bias_table, bias_of(position)[0]
    steps = (2 * rows - 1) * (2 * columns - 1)
    for i in range(position.layout.num_tokens):
        for j in range(position.layout.num_tokens):
            query, key = i - prefix, j - prefix
            if query >= 0 and key >= 0:
                down, right = query // columns - key // columns, query % columns - key % columns
                entry = (down + rows - 1) * (2 * columns - 1) + right + columns - 1
            else:
                entry = steps + (2 if query < 0 and key < 0 else int(key < 0))
            assert torch.equal(bias[:, i, j], table[entry])


@pytest.mark.parametrize(("side", "entries"), [(14, 729), (7, 169), (4, 49)])
def test_known_sizes(side, entries):
    for prefix, more in ((0, 0), (1, 3), (2, 3)):
        table = RelativeBias(Layout(24, 12, 1, (side, side), prefix)).relative_position_bias_table
        assert table.shape == (entries + more, 12)
    assert table.std().item() == pytest.approx(0.02, rel=0.2)


@pytest.mark.parametrize("new", [(6, 8), (2, 2), (5, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("prefix", [0, 1])
def test_resizing_is_resizing_the_steps_as_timm_does_a_table(new, prefix):
    position = biased((3, 4), prefix)
    name = "position.relative_position_bias_table"
    table = position.relative_position_bias_table.detach()
    resized = position.resize({name: table}, (3, 4), new)[name]
    count = (2 * new[0] - 1) * (2 * new[1] - 1)
    expected = resample_abs_pos_embed(table[None, :35], [2 * new[0] - 1, 2 * new[1] - 1], [5, 7], num_prefix_tokens=0)
    torch.testing.assert_close(resized[:count], expected[0], rtol=0, atol=1e-6)
    assert torch.equal(resized[count:], table[35:])
    assert len(resized) == count + 3 * prefix
