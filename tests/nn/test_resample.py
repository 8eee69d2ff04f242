"""Tables carried to another grid: timm's numbers, and the identities of interpolation."""

import pytest
import torch
from timm.layers import resample_abs_pos_embed

from vitrail.nn.position.resample import resample


@pytest.mark.parametrize("new", [(8, 12), (3, 3), (2, 9), (1, 1), (24, 24)], ids=str)
def test_it_is_timms(new):
    table = torch.randn(4, 6, 8)
    expected = resample_abs_pos_embed(table.reshape(1, 24, 8), list(new), [4, 6], num_prefix_tokens=0)
    torch.testing.assert_close(resample(table, new), expected.reshape(*new, 8), rtol=0, atol=1e-6)


def test_the_same_grid_is_the_same_table():
    table = torch.randn(4, 6, 8)
    assert resample(table, (4, 6)) is table


@pytest.mark.parametrize("new", [(8, 12), (3, 3), (1, 1)], ids=str)
def test_a_constant_stays_and_so_does_the_type_of_number(new):
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-6), (torch.bfloat16, 0)):
        table = torch.full((4, 6, 2), 0.75, dtype=dtype)
        got = resample(table, new)
        assert got.dtype == dtype
        torch.testing.assert_close(got, torch.full((*new, 2), 0.75, dtype=dtype), rtol=0, atol=tolerance)


@pytest.mark.parametrize("old", [(3, 1), (1, 3), (1, 1)], ids=str)
@pytest.mark.parametrize("new", [(6, 1), (1, 6), (5, 4), (2, 1)], ids=str)
def test_grids_one_patch_wide_or_high(old, new):
    """A table that is constant along an axis may be widened along it first: torch itself is wrong at width 1."""
    table = torch.randn(*old, 4)
    wide = table.repeat_interleave(3, dim=0).repeat_interleave(3, dim=1)
    same = tuple(3 if side == 1 else 0 for side in old)
    if old == (1, 1):
        torch.testing.assert_close(resample(table, new), table.expand(*new, 4), rtol=0, atol=1e-6)
        return
    image = (wide[:, ::3] if same[0] else wide[::3]).permute(2, 0, 1)[None]
    size = (3, new[1]) if same[0] else (new[0], 3)
    expected = torch.nn.functional.interpolate(image, size=size, mode="bicubic", antialias=True)[0].permute(1, 2, 0)
    expected = (expected[:1] if same[0] else expected[:, :1]).expand(*new, 4)
    torch.testing.assert_close(resample(table, new), expected, rtol=0, atol=1e-6)
