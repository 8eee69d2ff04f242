"""The filters of the first layer: what an image is looked at with before anything else."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.stem.std_conv import StdConv2d

COUNT = 28


@dataclass(frozen=True)
class Filters:
    """Hold the principal components of a layer's filters.

    Args:
        components: (components, rows, columns, channels) float64, each of length 1, the largest number positive; those
            that explain most come first.
        explained: (components,) float64, part of the filters' variance that each explains.
        layer: name of the layer in the model.
        total: how many filters the layer has.
    """

    components: Float[Tensor, "components rows columns channels"]
    explained: Float[Tensor, " components"]
    layer: str
    total: int


def patch_filters(model: VisionTransformer, count: int = COUNT) -> Filters:
    """Find the principal components of the filters that the image meets first.

    Args:
        model: any Vision Transformer of the library; where convolutions come before the patches, the first of these.
        count: how many components, 1 or more; there may be fewer.

    Returns:
        The components, and what they explain. Filters are standardised first where the layer does so.

    Raises:
        ConfigError: for a count below 1, or a model without a convolution.

    Source:
        Dosovitskiy et al. 2020, figure 7 left: 28 components.
    """
    require(count >= 1, "count", count, "1 or more")
    layer, conv = _first_convolution(model)
    kernels = (conv.kernels() if isinstance(conv, StdConv2d) else conv.weight).detach().to("cpu", torch.float64)
    rows = kernels.permute(0, 2, 3, 1).flatten(1)
    centred = rows - rows.mean(dim=0)
    _, deviations, axes = torch.linalg.svd(centred, full_matrices=False)
    kept = axes[: min(count, max(1, len(rows) - 1))]
    largest = kept.abs().argmax(dim=1, keepdim=True)
    kept = kept * kept.gather(1, largest).sign()
    variances = deviations.square()
    explained = variances / variances.sum().clamp_min(torch.finfo(torch.float64).tiny)
    shape = (len(kept), *kernels.shape[2:], kernels.shape[1])
    return Filters(kept.reshape(shape), explained[: len(kept)], layer, len(rows))


def _first_convolution(model: VisionTransformer) -> tuple[str, nn.Conv2d]:
    parts = {"stem": model.stem, "patch_embed": model.patch_embed}
    named = chain.from_iterable(part.named_modules(prefix=name) for name, part in parts.items())
    for name, module in named:
        if isinstance(module, nn.Conv2d):
            return name, module
    raise ConfigError("the model has no convolution whose filters could be shown", hint="give a model of the library")
