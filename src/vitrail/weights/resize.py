"""How a table of positions is carried to another grid: each ecosystem has a rule of its own, and they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.nn.position.resample import resample
from vitrail.nn.shapes import Grid


@dataclass(frozen=True)
class Rule:
    """Describe an interpolation.

    Args:
        mode: "bicubic" or "bilinear".
        antialias: whether a smaller grid is low-passed first.
        align_corners: whether the outermost places stay in their places.
        owner: whose code it is.
    """

    mode: Literal["bicubic", "bilinear"]
    antialias: bool
    align_corners: bool
    owner: str


RULES: Table[Rule] = Table(
    "resize rule",
    {
        "timm": Rule("bicubic", True, False, "timm's resample_abs_pos_embed"),
        "deit": Rule("bicubic", False, False, "the fine-tuning of facebookresearch/deit"),
        "transformers": Rule("bicubic", False, False, "transformers' interpolate_pos_encoding"),
        "torchvision": Rule("bicubic", False, True, "torchvision's interpolate_embeddings"),
        "google": Rule("bilinear", False, True, "scipy.ndimage.zoom of order 1, in vision_transformer and big_vision"),
    },
    error=WeightsError,
)
"""Tokens before the patches keep their places in all of them."""


def resize_positions(table: Tensor, prefix: int, old: Grid, new: Grid, rule: str) -> Tensor:
    """Carry a table of positions to another grid.

    Args:
        table: (1, prefix + rows · columns, dim).
        prefix: tokens before the patches.
        old: rows and columns it was made for.
        new: rows and columns wanted.
        rule: row of `RULES`.

    Returns:
        (1, prefix + new rows · new columns, dim), of the same type; the very table if it fits.

    Raises:
        WeightsError: if there is no such rule.
    """
    chosen = RULES[rule]
    if old == new:
        return table
    first, patches = table[:, :prefix], table[:, prefix:]
    if chosen.antialias:
        resized = resample(patches[0].reshape(*old, -1), new).flatten(0, 1)[None]
        return torch.cat([first, resized], dim=1)
    image = patches.float().reshape(1, *old, -1).permute(0, 3, 1, 2)
    image = interpolate(image, size=new, mode=chosen.mode, align_corners=chosen.align_corners)
    return torch.cat([first, image.flatten(2).transpose(1, 2).to(table.dtype)], dim=1)
