"""How a table with an entry for each place of a grid is carried to another grid; each owner has a rule of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from vitrail.core.table import Table
from vitrail.nn.shapes import Grid


@dataclass(frozen=True)
class Rule:
    """Describe an interpolation.

    Args:
        owner: whose code does it.
        mode: "bicubic" or "bilinear".
        antialias: whether a smaller grid is low-passed first.
        align_corners: whether the outermost places stay in their places.
        offset: what is added to the number of places wanted before the scale is computed, in places.
    """

    owner: str
    mode: Literal["bicubic", "bilinear"]
    antialias: bool = False
    align_corners: bool = False
    offset: float = 0.0


RULES: Table[Rule] = Table(
    "resize rule",
    {
        "timm": Rule("timm's resample_abs_pos_embed", "bicubic", antialias=True),
        "timm_npz": Rule("timm, where it reads Google's .npz", "bilinear"),
        "google": Rule("vision_transformer and big_vision: scipy's zoom of order 1", "bilinear", align_corners=True),
        "flexivit": Rule("big_vision's FlexiViT: jax.image.resize, linear", "bilinear", antialias=True),
        "siglip2": Rule("transformers' resize_positional_embeddings of SigLIP 2", "bilinear", antialias=True),
        "transformers": Rule("transformers' interpolate_pos_encoding of ViT, DeiT, DINOv2, CLIP and others", "bicubic"),
        "deit": Rule("the fine-tuning of facebookresearch/deit", "bicubic"),
        "mae": Rule("interpolate_pos_embed of facebookresearch/mae", "bicubic"),
        "dino": Rule("interpolate_pos_encoding of facebookresearch/dino", "bicubic", offset=0.1),
        "dinov2": Rule("interpolate_pos_encoding of facebookresearch/dinov2", "bicubic", offset=0.1),
        "dinov2_registers": Rule("dinov2 and transformers, for models with registers", "bicubic", antialias=True),
        "torchvision": Rule("torchvision's interpolate_embeddings", "bicubic", align_corners=True),
        "open_clip": Rule("open_clip's resize_pos_embed", "bicubic", antialias=True),
    },
)
"""Entries of tokens before the patches stay as they are in all of them."""


def resample(
    table: Float[Tensor, "rows columns dim"], size: Grid, rule: str = "timm"
) -> Float[Tensor, "new_rows new_columns dim"]:
    """Carry a table to another grid. Gradients flow through it.

    Args:
        table: an entry for each place.
        size: rows and columns wanted.
        rule: row of `RULES`.

    Returns:
        The table on that grid, of the same type, computed in float32 or better; the very table if it is on it already.

    Raises:
        ConfigError: if there is no such rule.

    Source:
        The `owner` of each rule.
    """
    chosen = RULES[rule]
    if tuple(table.shape[:2]) == size:
        return table
    exact = table.to(torch.promote_types(table.dtype, torch.float32))
    columns = _resample_last(exact.movedim(1, 2), size[1], chosen)
    return _resample_last(columns.permute(1, 2, 0), size[0], chosen).permute(2, 1, 0).to(table.dtype)


def _resample_last(table: Float[Tensor, "a b old"], size: int, rule: Rule) -> Float[Tensor, "a b new"]:
    """Resample along the last axis, as an image one pixel high: torch 2.15 is wrong for those one pixel wide."""
    lines = table.reshape(1, -1, 1, table.shape[2])
    align = rule.align_corners
    if rule.offset:
        scale = (1.0, (size + rule.offset) / table.shape[2])
        new = interpolate(lines, scale_factor=scale, mode=rule.mode, align_corners=align, antialias=rule.antialias)
    else:
        new = interpolate(lines, size=(1, size), mode=rule.mode, align_corners=align, antialias=rule.antialias)
    return new.reshape(*table.shape[:2], size)


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
