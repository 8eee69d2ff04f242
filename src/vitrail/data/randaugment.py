"""RandAugment for whole batches: geometry as matrices, colours as operations on the samples that drew them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Numbers = npt.NDArray[np.float64]

DRAWS_PER_LAYER = 2
GEOMETRY = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")


def _blend(images: Tensor, other: Tensor, strength: Tensor) -> Tensor:
    return (other + (images - other) * (1 + strength)).clamp_(0, 1)


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


def _smooth(images: Tensor) -> Tensor:
    height, width = images.shape[2:]
    out = images.clone()
    if height >= 3 and width >= 3:
        around = [images[..., y : height - 2 + y, x : width - 2 + x] for y in range(3) for x in range(3)]
        out[..., 1:-1, 1:-1] = (sum(around) + 4 * around[4]) / 13
    return out


def _auto_contrast(images: Tensor, _: Tensor) -> Tensor:
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp_min(1e-6), images)


def _equalize(images: Tensor, _: Tensor) -> Tensor:
    flat = (images * 255).round().long().flatten(2)
    counts = torch.zeros(*flat.shape[:2], 256, device=images.device).scatter_add_(
        2, flat, torch.ones_like(flat).float()
    )
    darker = counts.cumsum(dim=2) - counts
    darker_than_brightest = darker.gather(2, flat.amax(dim=2, keepdim=True))
    mapped = (darker / darker_than_brightest.clamp_min(1)).gather(2, flat).view_as(images)
    return torch.where(darker_than_brightest[..., None] == 0, images, mapped)


def _posterize(images: Tensor, strength: Tensor) -> Tensor:
    levels = 2 ** (8 - (4 * strength.abs()).round())
    return ((images * 255 + 1e-3) / 256 * levels).floor() / levels * 256 / 255


COLORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda images, _: images,
    "brightness": lambda images, strength: (images * (1 + 0.9 * strength)).clamp_(0, 1),
    "color": lambda images, strength: _blend(images, grey(images), 0.9 * strength),
    "contrast": lambda images, strength: _blend(images, mean_level(grey(images)), 0.9 * strength),
    "sharpness": lambda images, strength: _blend(images, _smooth(images), 0.9 * strength),
    "posterize": _posterize,
    "solarize": lambda images, strength: torch.where(images >= 1 - strength.abs(), 1 - images, images),
    "auto_contrast": _auto_contrast,
    "equalize": _equalize,
}
"""Name → (images, strength −1 … 1 as (batch, 1, 1, 1)) → images. Ranges are those of torchvision's RandAugment."""

OPERATIONS = (*GEOMETRY, *COLORS)


@dataclass(frozen=True)
class Layers:
    """Hold which operation each sample drew in each layer, and how strong.

    Args:
        operations: (batch, layers) int, index into `OPERATIONS`.
        strengths: (batch, layers) −1 … 1.
    """

    operations: npt.NDArray[np.int64]
    strengths: Numbers

    def geometry(self, batch: int, aspect: float = 1.0) -> Numbers:
        """Compose the geometric operations.

        Args:
            batch: number of samples.
            aspect: width ÷ height of the images, in pixels.

        Returns:
            (batch, 3, 3) maps from output to input coordinates, both −1 … 1.
        """
        total = np.broadcast_to(np.eye(3), (batch, 3, 3)).copy()
        for layer in range(self.operations.shape[1]):
            step = np.broadcast_to(np.eye(3), (batch, 3, 3)).copy()
            strength = self.strengths[:, layer]
            entries = ((0, 1, 0.3 / aspect), (1, 0, 0.3 * aspect), (0, 2, 300 / 331), (1, 2, 300 / 331))
            for index, (row, column, largest) in enumerate(entries):
                step[:, row, column] = np.where(self.operations[:, layer] == index, largest * strength, 0.0)
            turn = np.where(self.operations[:, layer] == 4, np.deg2rad(30) * strength, 0.0)
            rotation = np.broadcast_to(np.eye(3), (batch, 3, 3)).copy()
            rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(turn)
            rotation[:, 0, 1], rotation[:, 1, 0] = -np.sin(turn) / aspect, np.sin(turn) * aspect
            total = total @ step @ rotation
        return total


def plan_layers(numbers: Numbers, layers: int, magnitude: float) -> Layers:
    """Choose operations and strengths.

    Args:
        numbers: (batch, 2 × layers) uniform in [0, 1).
        layers: operations for each sample.
        magnitude: 0 … 10 (30 at most); 10 is the full range of an operation.

    Returns:
        What each sample drew.

    Source:
        Cubuk et al. 2019 (arXiv 1909.13719).
    """
    chosen, sign = numbers[:, : 2 * layers : 2], numbers[:, 1 : 2 * layers : 2]
    strengths = np.where(sign < 0.5, -1.0, 1.0) * min(magnitude / 10, 1.0)
    return Layers((chosen * len(OPERATIONS)).astype(np.int64), strengths)


def apply_colors(images: Tensor, layers: Layers) -> Tensor:
    """Apply the colour operations, layer after layer.

    Args:
        images: (batch, channels, height, width) in 0 … 1.
        layers: what each sample drew.

    Returns:
        Images in 0 … 1.
    """
    for layer in range(layers.operations.shape[1]):
        for offset, operation in enumerate(COLORS.values()):
            chosen = np.flatnonzero(layers.operations[:, layer] == len(GEOMETRY) + offset)
            if len(chosen) and offset:
                index = torch.from_numpy(chosen).to(images.device)
                strength = torch.from_numpy(layers.strengths[chosen, layer].astype(np.float32)).to(images.device)
                images = images.index_copy(0, index, operation(images[index], strength[:, None, None, None]))
    return images
