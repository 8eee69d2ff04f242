"""How a table that has an entry for each place of a grid is carried to another grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from vitrail.nn.shapes import Grid


def resample(table: Float[Tensor, "rows columns dim"], size: Grid) -> Float[Tensor, "new_rows new_columns dim"]:
    """Carry a table to another grid: bicubic, antialiased.

    Args:
        table: an entry for each place.
        size: rows and columns wanted.

    Returns:
        The table on that grid, of the same type; the very table if it is on it already.

    Source:
        timm's `resample_abs_pos_embed`.
    """
    if tuple(table.shape[:2]) == size:
        return table
    columns = _resample_last(table.float().movedim(1, 2), size[1])
    return _resample_last(columns.permute(1, 2, 0), size[0]).permute(2, 1, 0).to(table.dtype)


def _resample_last(table: Float[Tensor, "a b old"], size: int) -> Float[Tensor, "a b new"]:
    """Resample along the last axis, as an image one pixel high: torch 2.15 is wrong for those one pixel wide."""
    lines = table.reshape(1, -1, 1, table.shape[2])
    return interpolate(lines, size=(1, size), mode="bicubic", antialias=True).reshape(*table.shape[:2], size)


def spread(table: Float[Tensor, "*batch entries dim"], tokens: int, grid: Grid) -> Float[Tensor, "*batch tokens dim"]:
    """Put zeros into a table for tokens that it has no entry for: those directly before the patches.

    Args:
        table: entries of the first tokens, then those of the patches.
        tokens: length of the sequence.
        grid: rows and columns of patches.

    Returns:
        A row for every token, of the same type.
    """
    before, patches = table.tensor_split([table.shape[-2] - grid[0] * grid[1]], dim=-2)
    nothing = table.new_zeros(*table.shape[:-2], tokens - table.shape[-2], table.shape[-1])
    return torch.cat([before, nothing, patches], dim=-2)
