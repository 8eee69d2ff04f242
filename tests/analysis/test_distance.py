"""Attention distance against closed forms and against a plain double loop."""

import math

import numpy as np
import pytest
import torch

from vitrail.analysis import attention_distance
from vitrail.core.errors import ConfigError

UNIFORM = [  # grid, patch, mean distance; over N+1 tokens with the class token's column dropped; from a corner
    (14, 16, 116.492227, 115.900896, 161.030167),
    (7, 32, 115.502894, 113.192836, 150.600510),
    (16, 14, 116.565053, 116.111493, 162.328767),
    (24, 16, 200.047983, 199.701279, 283.467530),
    (8, 4, 16.545931, 16.291378, 21.888043),
    (7, 4, 14.437862, 14.149105, 18.825064),
    (4, 7, 14.056105, 13.229275, 16.840720),
    (2, 1, 0.853553, 0.682843, 0.853553),
]


def uniform(tokens, images=1, heads=2):
    return torch.full((images, heads, tokens, tokens), 1 / tokens, dtype=torch.float64)


@pytest.mark.parametrize("row", UNIFORM, ids=lambda row: f"{row[0]} × {row[0]} patches of {row[1]}")
def test_uniform_attention(row):
    side, patch, plain, with_class_token, corner = row
    grid, count = (side, side), side * side
    assert attention_distance(uniform(count), grid, patch).tolist() == pytest.approx([plain] * 2, abs=1e-6)
    dropped = uniform(count + 1)
    assert attention_distance(dropped, grid, patch, False).tolist() == pytest.approx([with_class_token] * 2, abs=1e-6)
    assert attention_distance(dropped, grid, patch, True).tolist() == pytest.approx([plain] * 2, abs=1e-6)
    to_corner = torch.zeros(1, 1, count, count, dtype=torch.float64)
    to_corner[..., 0] = 1  # all look at the corner: as far, in the mean, as the corner looks when it looks everywhere
    assert attention_distance(to_corner, grid, patch).tolist() == pytest.approx([corner], abs=1e-6)


def test_who_looks_at_itself_looks_nowhere():
    assert attention_distance(torch.eye(13).expand(2, 3, 13, 13), (3, 4), 16).tolist() == [0, 0, 0]


@pytest.mark.parametrize("prefix", [0, 1, 2, 5])
@pytest.mark.parametrize("renormalise", [False, True])
def test_it_is_the_double_loop(prefix, renormalise):
    rows, columns, patch = 2, 3, 5
    tokens = prefix + rows * columns
    attention = torch.randn(3, 4, tokens, tokens, dtype=torch.float64).softmax(dim=-1)
    expected = np.zeros(4)
    for image in range(3):
        for head in range(4):
            for i in range(rows * columns):
                weights = attention[image, head, prefix + i, prefix:].tolist()
                total = sum(weights) if renormalise else 1
                for j, weight in enumerate(weights):
                    apart = math.hypot(i // columns - j // columns, i % columns - j % columns)
                    expected[head] += weight / total * apart * patch / (3 * rows * columns)
    found = attention_distance(attention, (rows, columns), patch, renormalise)
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(attention_distance(attention.numpy(), (rows, columns), patch, renormalise), found)


def test_a_patch_that_looks_at_no_patch_counts_as_nothing():
    attention = torch.zeros(1, 1, 5, 5)
    attention[..., 0] = 1
    assert attention_distance(attention, (2, 2), 16, renormalise=True).tolist() == [0]


@pytest.mark.parametrize("grid", [(3, 3), (0, 4), (2, 0)])
def test_a_grid_that_does_not_fit_is_refused(grid):
    with pytest.raises(ConfigError, match="grid"):
        attention_distance(uniform(5), grid, 16)
