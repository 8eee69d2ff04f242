"""The patch embedding is a linear projection of flattened patches."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.nn.patch_embed import PatchEmbed


@settings(max_examples=25, deadline=None)
@given(
    patch=st.integers(1, 8), rows=st.integers(1, 4), columns=st.integers(1, 4), channels=st.integers(1, 5),
    dim=st.integers(1, 8),
)  # fmt: skip
def test_it_is_cutting_flattening_and_multiplying(patch, rows, columns, channels, dim):
    torch.manual_seed(0)
    embed = PatchEmbed(channels, dim, patch).double()
    image = torch.randn(2, channels, rows * patch, columns * patch, dtype=torch.float64)
    expected = torch.empty(2, rows * columns, dim, dtype=torch.float64)
    weight = embed.proj.weight.reshape(dim, -1)
    for row in range(rows):
        for column in range(columns):
            part = image[:, :, row * patch : (row + 1) * patch, column * patch : (column + 1) * patch]
            expected[:, row * columns + column] = part.reshape(2, -1) @ weight.T + embed.proj.bias
    torch.testing.assert_close(embed(image), expected, rtol=0, atol=1e-13)


def test_patches_are_in_raster_order():
    embed = PatchEmbed(1, 1, 2)
    with torch.no_grad():
        embed.proj.weight.fill_(0.25)
        embed.proj.bias.zero_()
    image = torch.arange(6.0).reshape(1, 1, 2, 3).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert embed(image).flatten().tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("patch", [1, 2, 14, 16, 32])
def test_shapes(patch):
    embed = PatchEmbed(3, 8, patch)
    assert embed.proj.weight.shape == (8, 3, patch, patch)
    assert embed(torch.zeros(1, 3, 2 * patch, 3 * patch)).shape == (1, 6, 8)
