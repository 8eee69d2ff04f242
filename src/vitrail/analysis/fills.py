"""What stands in the place of a patch that is taken away: one row each in `FILLS`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.core.table import Table
from vitrail.nn.shapes import Images

WIDTH = 1 / 8
"""Standard deviation of the blur ÷ side of the image: of 224 pixels, 28. Colours of regions stay, no object does."""


def blurred(images: Images) -> Images:
    """Blur images by a Gaussian whose weights, at the edges, are those of the pixels that there are.

    Args:
        images: normalised pixels.

    Returns:
        Images of the same shape.
    """
    rows, columns = (_smoothing(side).to(images) for side in images.shape[2:])
    return rows @ images @ columns.T


def averaged(images: Images) -> Images:
    """Give each image its own mean colour everywhere.

    Args:
        images: normalised pixels.

    Returns:
        Images of the same shape.
    """
    return images.mean(dim=(2, 3), keepdim=True).expand_as(images)


def _smoothing(side: int) -> Float[Tensor, "side side"]:
    places = torch.arange(side, dtype=torch.float64) / (side * WIDTH)
    weights = torch.exp(-0.5 * (places[:, None] - places[None]) ** 2)
    return weights / weights.sum(dim=1, keepdim=True)


FILLS: Table[Callable[[Images], Images]] = Table("fill", {"blur": blurred, "mean": averaged})
