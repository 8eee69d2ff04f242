"""Fixed 2-D position against the formulas written out, and against known sums."""

import math

import numpy as np
import pytest
import torch

from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position import Layout, Sincos2dConfig

STEPS = {"big_vision": lambda quarter: quarter - 1, "mae": lambda quarter: quarter}


def added(grid, dim, prefix=0, dtype=torch.float64, **settings):
    """Give what is added to tokens that are zero."""
    position = Sincos2dConfig(**settings).build(Layout(dim, 2, 1, grid, prefix))
    return position.add(torch.zeros(1, prefix + grid[0] * grid[1], dim, dtype=dtype), None, grid)[0]


def formula(grid, dim, frequencies, temperature=1e4):
    """Write the table out, entry by entry."""
    quarter = dim // 4
    table = np.zeros((grid[0] * grid[1], dim))
    for y in range(grid[0]):
        for x in range(grid[1]):
            for k in range(quarter):
                omega = 1 / temperature ** (k / STEPS[frequencies](quarter))
                waves = math.sin(x * omega), math.cos(x * omega), math.sin(y * omega), math.cos(y * omega)
                table[y * grid[1] + x, k::quarter] = waves
    return torch.from_numpy(table)


@pytest.mark.parametrize("frequencies", STEPS)
@pytest.mark.parametrize("grid", [(3, 3), (2, 5), (7, 1)], ids=str)
def test_it_is_the_formula(frequencies, grid):
    got = added(grid, 24, frequencies=frequencies)
    torch.testing.assert_close(got, formula(grid, 24, frequencies), rtol=0, atol=1e-13)
    other = added(grid, 24, frequencies=frequencies, temperature=50.0)
    torch.testing.assert_close(other, formula(grid, 24, frequencies, 50.0), rtol=0, atol=1e-13)
    single = added(grid, 24, dtype=torch.float32, frequencies=frequencies)
    torch.testing.assert_close(single.double(), got, rtol=0, atol=1e-6)


def test_moco_v3_has_the_rows_in_place_of_the_columns():
    """Its `meshgrid` makes the first coordinate the slow one, which is the row in raster order."""
    width, height = np.meshgrid(np.arange(5.0), np.arange(5.0), indexing="ij")
    omega = 1 / 1e4 ** (np.arange(6) / 6)
    first, second = width.reshape(-1, 1) * omega, height.reshape(-1, 1) * omega
    table = np.concatenate([np.sin(first), np.cos(first), np.sin(second), np.cos(second)], axis=1)
    ours = added((5, 5), 24, frequencies="mae").reshape(5, 5, 24).transpose(0, 1).flatten(0, 1)
    torch.testing.assert_close(ours, torch.from_numpy(table), rtol=0, atol=1e-13)


def test_known_sums_and_values():
    table = added((14, 14), 384)
    assert table.square().sum().item() == pytest.approx(37632, abs=1e-8)
    torch.testing.assert_close(table.square().sum(dim=1), torch.full((196,), 192.0, dtype=torch.float64))
    assert table.sum().item() == pytest.approx(34742.763011778, abs=1e-8)
    assert table[1, :3].tolist() == pytest.approx([0.84147098, 0.78802880, 0.73369134], abs=5e-9)
    likeness = torch.nn.functional.cosine_similarity(table[:1], table)
    assert likeness[[1, 14]].tolist() == pytest.approx([0.98588447, 0.98588447], abs=5e-9)
    assert likeness[195].item() == pytest.approx(0.66432578, abs=5e-9)
    apart = (table - added((14, 14), 384, frequencies="mae")).abs().max().item()
    assert apart == pytest.approx(0.0489, abs=5e-5)


def test_the_prefix_is_left_alone():
    got = added((2, 3), 8, prefix=2)
    assert torch.equal(got[:2], torch.zeros(2, 8, dtype=torch.float64))
    assert torch.equal(got[2:], added((2, 3), 8))


def test_the_narrowest_width_has_one_frequency():
    for frequencies in STEPS:
        expected = torch.tensor([[0, 1, 0, 1], [math.sin(1), math.cos(1), 0, 1]], dtype=torch.float64)
        torch.testing.assert_close(added((1, 2), 4, frequencies=frequencies), expected)


def test_a_larger_grid_begins_the_same():
    small, large = added((2, 3), 8).reshape(2, 3, 8), added((4, 5), 8).reshape(4, 5, 8)
    assert torch.equal(large[:2, :3], small)


def test_the_sum_is_float32_under_autocast_and_half_in_a_half_model():
    position = Sincos2dConfig().build(Layout(8, 2, 1, (2, 3), 0))
    tokens = torch.zeros(1, 6, 8, dtype=torch.bfloat16)
    assert position.add(tokens, None, (2, 3)).dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert position.add(tokens, None, (2, 3)).dtype == torch.float32


def test_a_width_that_is_no_multiple_of_4_is_refused():
    config = ViTConfig.of(embed_dim=6, num_heads=2, img_size=32, patch_size=16, position="sincos_2d")
    with pytest.raises(ConfigError, match="embed_dim = 6 is not allowed; allowed: multiples of 4"):
        VisionTransformer(config)
