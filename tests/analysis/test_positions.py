"""What is shown of positions is what each kind does."""

import pytest
import torch
from torch.nn.functional import cosine_similarity

from vitrail.analysis import position_bias, position_similarity

GRID, PATCHES = (2, 3), 6


@pytest.mark.parametrize("fields", [{}, {"registers": 2, "position": {"kind": "learned_1d", "covers": "patches"}}])
def test_the_learned_table_gives_its_cosines(make, fields):
    model = make(**fields)
    (found,) = position_similarity(model)
    table = model.pos_embed[0, -PATCHES:].double()
    expected = cosine_similarity(table[:, None], table[None], dim=-1).reshape(*GRID, *GRID)
    torch.testing.assert_close(found.tiles, expected, rtol=0, atol=1e-12)
    assert (found.layer, found.turned, position_bias(model)) == (None, False, None)


def test_learned_2d_is_the_mean_of_two_axes_where_rows_and_columns_are_as_long(make):
    model = make(position="learned_2d")
    rows, columns = (part.data.div_(part.norm(dim=-1, keepdim=True)) for part in _axes(model))
    (found,) = position_similarity(model)
    expected = 0.5 * (rows @ rows.T)[:, None, :, None] + 0.5 * (columns @ columns.T)[None, :, None, :]
    torch.testing.assert_close(found.tiles, expected.double(), rtol=0, atol=1e-6)


def _axes(model):
    return model.position.rows, model.position.columns


def test_sines_have_the_cosines_that_are_published(make):
    (found,) = position_similarity(make(position="sincos_2d", embed_dim=384, img_size=56, depth=0))
    tiles = found.tiles
    assert tiles.shape == (14, 14, 14, 14)
    expected = [0.98588447, 0.98588447, 0.66432578]
    assert [float(tiles[0, 0, r, c]) for r, c in ((0, 1), (1, 0), (13, 13))] == pytest.approx(expected, abs=1e-6)


def test_turned_queries_keep_the_mean_cosine_of_the_angles(make):
    (found,) = position_similarity(make(position={"kind": "rope_2d", "temperature": 9.0}, embed_dim=32))
    assert (found.layer, found.turned) == (None, True)
    omega = 2 * torch.pi * torch.tensor([1.0, 1 / 3], dtype=torch.float64)
    row, column = (2 / side * torch.arange(side, dtype=torch.float64) for side in GRID)
    waves = [(omega * (place[:, None, None] - place[None, :, None])).cos().mean(dim=-1) for place in (row, column)]
    expected = 0.5 * waves[0][:, None, :, None] + 0.5 * waves[1][None, :, None, :]
    torch.testing.assert_close(found.tiles, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("at", ["every_layer", "every_layer_shared"])
def test_every_layer_has_its_own_or_all_have_one(make, at):
    model = make(position={"kind": "learned_1d", "at": at})
    found = position_similarity(model)
    assert [one.layer for one in found] == ([0, 1, 2] if at == "every_layer" else [None])
    table = [one.pos_embed.detach()[0, 1:].double() for one in model.position.by_layer]
    for one, rows in zip(found, table, strict=False):
        assert float(one.tiles[0, 1, 1, 2]) == pytest.approx(float(cosine_similarity(rows[1], rows[5], dim=0)))


@pytest.mark.parametrize("at", ["every_layer", "every_layer_shared"])
def test_a_table_of_biases_is_shown_for_the_centre(make, at):
    model = make(position={"kind": "relative_bias", "at": at})
    found = position_bias(model)
    assert position_similarity(model) == []
    assert (found.by_content, tuple(found.values.shape)) == (False, (3 if at == "every_layer" else 1, 4, *GRID))
    table = model.position.by_layer[0].relative_position_bias_table.detach().double()
    steps = table[: 3 * 5].reshape(3, 5, 4)
    for row in range(2):
        for column in range(3):  # the centre is row 1, column 1; entries are for query - key
            assert found.values[0, :, row, column].tolist() == steps[1 - row + 1, 1 - column + 2].tolist()


def test_a_bias_by_content_is_shown_by_its_size(make):
    model = make(position="relative")
    found = position_bias(model)
    assert (found.by_content, tuple(found.values.shape)) == (True, (3, 1, *GRID))
    keys = model.position.by_layer[0].keys.detach().double()
    centre, count = 1 + 4, 7
    for place in range(6):
        expected = 4**-0.5 * keys[1 + place - centre + count - 1].norm()
        assert float(found.values[0, 0].flatten()[place]) == pytest.approx(float(expected), abs=1e-6)


def test_no_position_shows_nothing(make):
    model = make(position="none")
    assert position_similarity(model) == []
    assert position_bias(model) is None
    biased = make(position="relative_bias")
    with torch.no_grad():
        for parameter in biased.position.parameters():
            parameter.zero_()
    found = position_bias(biased)
    assert (found.by_content, bool(found.values.any())) == (False, False)


def test_every_kind_can_be_asked(model):
    tiles = position_similarity(model)
    rows, columns = model.config.grid
    for one in tiles:
        assert one.tiles.shape == (rows, columns, rows, columns)
        own = one.tiles.reshape(rows * columns, -1).diagonal()
        torch.testing.assert_close(own, torch.ones_like(own))
    bias = position_bias(model)
    assert bias is None or bias.values.shape[2:] == (rows, columns)


def test_positions_are_carried_to_another_grid(make):
    model, larger = make(dynamic=True), make(dynamic=True, img_size=(16, 12))
    larger.load_state_dict({**model.state_dict(), **model.position.resize(model.state_dict(), GRID, (4, 3))})
    (found,), (expected,) = position_similarity(model, (4, 3)), position_similarity(larger)
    torch.testing.assert_close(found.tiles, expected.tiles, rtol=0, atol=1e-6)
    assert position_bias(make(position="relative_bias"), (4, 5)).values.shape == (3, 4, 4, 5)
