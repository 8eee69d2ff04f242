"""Centred kernel alignment: how alike the features of two layers are, over a stream of minibatches."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.core.errors import ConfigError

LEAST = 4
"""Images that a minibatch needs: the unbiased estimate divides by n (n − 3)."""


class LinearCKA:
    """Compare layers pairwise by linear CKA, one minibatch after another; memory does not grow with their number.

    An example is an image, and its features are all numbers that a layer gives for it, side by side. Of each minibatch
    only the products between its images are kept, and of these only the sums.

    Args:
        layers: how many layers are compared.

    Source:
        Kornblith et al. 2019 (arXiv 1905.00414), with the unbiased HSIC of Song et al. 2012 averaged over minibatches,
        as in Nguyen et al. 2021 (arXiv 2010.15327) and, for Vision Transformers, Raghu et al. 2021 (arXiv 2108.08810).
    """

    def __init__(self, layers: int) -> None:
        self.hsic = torch.zeros(layers, layers, dtype=torch.float64)
        self.images = self.minibatches = 0

    def add(self, grams: Sequence[Float[Tensor, "images images"]]) -> None:
        """Count one minibatch.

        Args:
            grams: of each layer what `gram` gives, for the same 4 images or more.

        Raises:
            ConfigError: if layers are missing, or images too few.
        """
        kernels = torch.stack(list(grams))
        count = kernels.shape[-1]
        if len(kernels) != len(self.hsic) or count < LEAST:
            raise ConfigError(
                f"a minibatch of {len(kernels)} layers and {count} images is not allowed; allowed: {len(self.hsic)} "
                f"layers, {LEAST} images or more"
            )
        self.hsic += _unbiased_hsic(kernels)
        self.images += count
        self.minibatches += 1

    def result(self) -> Float[Tensor, "layers layers"]:
        """Give the alignment of every pair of layers.

        Returns:
            (layers, layers) float64, 1 on the diagonal; about 0 where features have nothing in common, and by chance a
            little below. NaN for a layer whose features are the same for all images.

        Raises:
            ConfigError: if no minibatch was counted.
        """
        if not self.minibatches:
            raise ConfigError("there is nothing to compare", hint=f"give a minibatch of {LEAST} images or more")
        own = self.hsic.diagonal()
        scale = torch.where(own > 0, own, torch.nan).sqrt()
        return self.hsic / (scale[:, None] * scale)


def gram(features: Float[Tensor, "images ..."]) -> Float[Tensor, "images images"]:
    """Multiply the features of every two images, after taking away the mean image.

    Args:
        features: of one layer; the dimensions after the first are laid side by side.

    Returns:
        (images, images) float64. The mean is taken away for the sake of rounding alone: CKA does not depend on it.
    """
    rows = features.flatten(1).to("cpu", torch.float64)
    rows = rows - rows.mean(dim=0)
    return rows @ rows.T


def linear_cka(x: Float[Tensor, "images ..."], y: Float[Tensor, "images ..."]) -> float:
    """Compare two sets of features of the same images.

    Args:
        x: features, one row an image.
        y: others, which may be more or fewer for an image.

    Returns:
        Linear CKA, unbiased: 1 if one is the other turned and scaled, about 0 if they have nothing in common.

    Raises:
        ConfigError: if there are fewer than 4 images, or not equally many of both.
    """
    if len(x) != len(y):
        raise ConfigError(f"features of {len(x)} images, and of {len(y)}", hint="give those of the same images")
    pair = LinearCKA(2)
    pair.add([gram(x), gram(y)])
    return float(pair.result()[0, 1])


def _unbiased_hsic(kernels: Float[Tensor, "layers images images"]) -> Float[Tensor, "layers layers"]:
    """Estimate the HSIC of every pair of layers: Song et al. 2012, equation 5."""
    n = kernels.shape[-1]
    kernels = kernels * (1 - torch.eye(n, dtype=kernels.dtype))
    rows = kernels.sum(dim=-1)
    totals = rows.sum(dim=-1)
    products = torch.einsum("aij,bij->ab", kernels, kernels)
    sums = totals[:, None] * totals / ((n - 1) * (n - 2))
    return (products + sums - 2 / (n - 2) * rows @ rows.T) / (n * (n - 3))
