"""Changes of colour for whole batches, each image by an amount of its own. The table of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Change = Callable[[Tensor, Tensor, Tensor], Tensor]

LIGHT = 196 / 255
"""Pixels of an image of 224 × 224 ÷ 256: what big_vision's contrast takes for the mean level (its issue 109)."""


def mean_level(images: Tensor) -> Tensor:
    """Average each image, to the same bit in any batch and with any number of threads: whole numbers are summed.

    Args:
        images: (batch, channels, height, width) in 0 … 1.

    Returns:
        (batch, 1, 1, 1).
    """
    levels = (images * 2**20).round().int()
    return levels.sum(dim=(1, 2, 3), keepdim=True) / (2**20 * images[0].numel())


def grey(images: Tensor) -> Tensor:
    """Weigh red, green and blue as the eye does (ITU-R 601), or average other channels.

    Args:
        images: (batch, channels, height, width).

    Returns:
        (batch, 1, height, width).
    """
    if images.shape[1] != 3:
        return images.mean(dim=1, keepdim=True)
    return 0.299 * images[:, :1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:]


def _blend(images: Tensor, other: Tensor | float, factor: Tensor) -> Tensor:
    return (other + (images - other) * factor).clamp_(0, 1)


def _smooth(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    out = images.clone()
    if height >= 3 and width >= 3:
        around = [images[..., y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3)]
        out[..., 1:-1, 1:-1] = (sum(around) + 4 * around[4]) / 13
    return out


def _auto_contrast(images: Tensor, *_: Tensor) -> Tensor:
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(1e-6), images)


def _equalize(images: Tensor, *_: Tensor) -> Tensor:
    flat = (images * 255).round().long().flatten(2)
    counts = torch.zeros(*flat.shape[:2], 256, device=images.device).scatter_add_(
        2, flat, torch.ones_like(flat).float()
    )
    darker = counts.cumsum(dim=2) - counts
    darker_than_brightest = darker.gather(2, flat.amax(dim=2, keepdim=True))
    mapped = (darker / darker_than_brightest.clamp_min(1)).gather(2, flat).view_as(images)
    return torch.where(darker_than_brightest[..., None] == 0, images, mapped)


def _posterize(images: Tensor, bits: Tensor, _: Tensor) -> Tensor:
    levels = 2**bits
    return ((images * 255 + 1e-3) / 256 * levels).floor() / levels * 256 / 255


def _solarize_add(images: Tensor, amount: Tensor, _: Tensor) -> Tensor:
    return torch.where(images < 127.5 / 255, (images + amount).clamp(0, 1), images)


def _cutout(images: Tensor, half: Tensor, place: Tensor) -> Tensor:
    """Grey a square about a pixel; what of it lies outside is lost."""
    hole = torch.ones_like(images[:, :1], dtype=torch.bool)
    for axis, size in ((2, images.shape[2]), (3, images.shape[3])):
        pixel = torch.arange(size, device=images.device).view([-1 if one == axis else 1 for one in range(4)])
        middle = (place[:, axis - 2, None, None, None] * size).floor()
        hole &= (pixel >= middle - half * size) & (pixel < middle + half * size)
    return images.masked_fill(hole, 128 / 255)


COLORS: dict[str, Change] = {
    "identity": lambda images, *_: images,
    "brightness": lambda images, factor, _: (images * factor).clamp_(0, 1),
    "color": lambda images, factor, _: _blend(images, grey(images), factor),
    "contrast": lambda images, factor, _: _blend(images, mean_level(grey(images)), factor),
    "contrast_with_light": lambda images, factor, _: _blend(images, LIGHT, factor),
    "sharpness": lambda images, factor, _: _blend(images, _smooth(images), factor),
    "posterize": _posterize,
    "solarize": lambda images, threshold, _: torch.where(images >= threshold, 1 - images, images),
    "solarize_add": _solarize_add,
    "invert": lambda images, *_: 1 - images,
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
    "cutout": _cutout,
}
"""Name → (images 0 … 1, amount as (batch, 1, 1, 1), place as (batch, 2)) → images. The amount: a factor, of which 1
changes nothing, for brightness to sharpness; bits that are kept; the level from which (solarize), or by which below
the middle one (solarize_add), an image is changed, 0 … 1; half of a square's side ÷ that of the image (cutout). The
place of the square: parts of height and width."""
