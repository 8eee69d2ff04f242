"""Three-way variation (3-Augment): each image is made grey, solarized or blurred."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from vitrail.data.color_changes import grey

Numbers = npt.NDArray[np.float64]

DRAWS = 2
SIGMAS = (0.1, 2.0)
REACH = 6
"""Pixels to either side that a blur takes in: three of the largest standard deviations."""


def _made_grey(images: Tensor, _: Tensor) -> Tensor:
    return grey(images).expand_as(images)


def _solarized(images: Tensor, _: Tensor) -> Tensor:
    return torch.where(images >= 128 / 255, 1 - images, images)


def _blurred(images: Tensor, drawn: Tensor) -> Tensor:
    """Blur by a Gaussian, rows then columns; a sum in one order gives the same bits in any batch."""
    sigma = SIGMAS[0] + (SIGMAS[1] - SIGMAS[0]) * drawn
    offsets = torch.arange(-REACH, REACH + 1, device=images.device)
    weights = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    weights = (weights / weights.sum(dim=1, keepdim=True))[:, :, None, None, None]
    for axis, sides in ((2, (0, 0, REACH, REACH)), (3, (REACH, REACH, 0, 0))):
        size, padded = images.shape[axis], pad(images, sides, mode="replicate")
        images = torch.zeros_like(images)
        for tap in range(2 * REACH + 1):
            images = images + weights[:, tap] * padded.narrow(axis, tap, size)
    return images


OPERATIONS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (_made_grey, _solarized, _blurred)
"""(images 0 … 1, a number 0 … 1 for each) → images."""


def three_augment(images: Tensor, numbers: Numbers) -> Tensor:
    """Vary each image in one of three ways.

    Args:
        images: (batch, 1 or 3, height, width) in 0 … 1.
        numbers: (batch, 2) uniform in [0, 1): which way, and how strong the blur.

    Returns:
        Images in 0 … 1.

    Source:
        DeiT III (arXiv 2204.07118), section 3: grey, solarized from the middle level, blurred with σ 0.1 … 2 pixels.
    """
    drawn = torch.from_numpy(numbers[:, 1].astype(np.float32)).to(images.device)
    for number, operation in enumerate(OPERATIONS):
        chosen = np.flatnonzero((numbers[:, 0] * len(OPERATIONS)).astype(np.int64) == number)
        if len(chosen):
            index = torch.from_numpy(chosen).to(images.device)
            images = images.index_copy(0, index, operation(images[index], drawn[index]))
    return images
