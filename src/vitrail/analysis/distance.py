"""Attention distance: how far a head looks, in pixels."""

from __future__ import annotations

import torch

from vitrail.analysis.shapes import Attention, PerHead, as_attention
from vitrail.core.errors import ConfigError
from vitrail.nn.shapes import Grid


def attention_distance(attention: Attention, grid: Grid, patch_size: int, renormalise: bool = False) -> PerHead:
    """Average the distance between a patch and those it attends to, weighted by the attention.

    Args:
        attention: (images, heads, tokens, tokens) of one block; tokens before the patches are dropped, as queries and
            as keys.
        grid: rows and columns of patches.
        patch_size: side of a patch in pixels.
        renormalise: let the weights on patches sum to 1 again, after those on other tokens were dropped; a patch that
            attends to no patch counts as distance 0.

    Returns:
        (heads,) float64, pixels: mean over images and over patches as queries.

    Raises:
        ConfigError: if attention has another shape, or fewer tokens than the grid has patches.

    Source:
        Dosovitskiy et al. 2020, figures 7 and 11. The paper does not say whether weights were normalised again.
    """
    weights = as_attention(attention)
    rows, columns = grid
    prefix = weights.shape[-1] - rows * columns
    if prefix < 0 or min(grid) < 1:
        raise ConfigError(f"grid = {grid} is not allowed with {weights.shape[-1]} tokens: it has more patches or none")
    weights = weights[:, :, prefix:, prefix:]
    if renormalise:
        weights = weights / weights.sum(dim=-1, keepdim=True).clamp_min(torch.finfo(weights.dtype).tiny)
    row, column = torch.arange(rows), torch.arange(columns)
    places = torch.cartesian_prod(row, column).double() * patch_size
    apart = torch.linalg.vector_norm(places[:, None] - places[None], dim=-1)
    return (weights * apart).sum(dim=-1).mean(dim=(0, 2))
