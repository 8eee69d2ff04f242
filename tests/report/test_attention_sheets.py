"""A sheet holds the maps it says, at the places it says; joined patches keep all attention."""

import io

import numpy as np
import pytest
from PIL import Image

from vitrail.report.attention_sheets import LEVELS, coarsened, draw_sheet


def attention(heads=3, tokens=8, seed=0):
    scores = np.random.default_rng(seed).normal(size=(heads, tokens, tokens))
    return np.exp(3 * scores) / np.exp(3 * scores).sum(axis=-1, keepdims=True)


def tile(sheet, number, rows, columns):
    pixels = np.asarray(Image.open(io.BytesIO(sheet.png)))
    top, left = number // sheet.across * rows, number % sheet.across * columns
    return pixels[top : top + rows, left : left + columns]


@pytest.mark.parametrize(("heads", "kept"), [(None, [0, 1, 2]), ([0, 2], [0, 2]), ([1], [1])])
def test_every_map_is_at_its_place(heads, kept):
    weights = attention()
    sheet = draw_sheet(weights, 6, 3, heads)
    shares = np.frombuffer(sheet.shares, dtype="<u2").reshape(-1, 2) / 65535
    expected = np.stack([weights.mean(axis=0), *weights[kept]])
    assert len(shares) == len(expected) * 8
    for number, row in enumerate(expected.reshape(-1, 8)):
        most = row[2:].max()
        levels = np.rint((LEVELS - 1) * np.sqrt(row[2:] / most))
        np.testing.assert_array_equal(tile(sheet, number, 2, 3), levels.reshape(2, 3))
        np.testing.assert_allclose(shares[number], [most, row[:2].sum()], atol=1e-5)


def test_colours_begin_clear_and_four_bits_are_enough():
    sheet = draw_sheet(attention(), 6, 3)
    picture = Image.open(io.BytesIO(sheet.png))
    opacity = np.asarray(picture.convert("RGBA"))[..., 3]
    levels = np.asarray(picture)
    assert (opacity[levels == 0] == 0).all()
    assert opacity[levels == LEVELS - 1].min() > 200
    assert sheet.png[24] == 4  # bits a pixel, in the header of a PNG


def test_who_attends_to_no_patch_gives_an_empty_map():
    weights = np.zeros((1, 3, 3))
    weights[..., 0] = 1
    sheet = draw_sheet(weights, 2, 2)
    assert not np.asarray(Image.open(io.BytesIO(sheet.png))).any()
    assert np.frombuffer(sheet.shares, dtype="<u2").reshape(-1, 2).tolist() == [[0, 65535]] * 6


def test_joined_patches_by_hand():
    weights = attention(heads=2, tokens=1 + 6)
    joined, patches, columns = coarsened(weights, 6, 3, 2)
    assert (joined.shape, patches, columns) == ((2, 3, 3), 2, 2)
    np.testing.assert_allclose(joined.sum(axis=-1), 1)
    left, right = [1, 2, 4, 5], [3, 6]  # tokens of the grid's columns 0 and 1, and of column 2
    np.testing.assert_allclose(joined[:, 1, 2], weights[:, left][:, :, right].sum(axis=-1).mean(axis=-1))
    np.testing.assert_allclose(joined[:, 0, 1], weights[:, 0, left].sum(axis=-1))
    np.testing.assert_allclose(joined[:, 2, 0], weights[:, right, 0].mean(axis=-1))


def test_one_patch_a_side_changes_nothing():
    weights = attention()
    joined, patches, columns = coarsened(weights, 6, 3, 1)
    np.testing.assert_allclose(joined, weights)
    assert (patches, columns) == (6, 3)
