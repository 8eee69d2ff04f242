"""Integrated gradients: what each pixel adds to the logit of a class, from an image of one colour on. By Captum."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from vitrail.analysis.gradients import Classes, require_class
from vitrail.analysis.modes import evaluating
from vitrail.analysis.shapes import Maps
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Images

STEPS = 50
"""Points of the path at which gradients are taken (Gauss-Legendre), as many as Captum takes unless told otherwise."""


@dataclass(frozen=True)
class Integrated:
    """Hold integrated gradients of some images.

    Args:
        pixels: (images, channels, height, width), what each value adds to the logit.
        maps: (images, rows, columns) float64, the sum of these over each patch.
        gain: (images,) logit of the image less that of the baseline, which the sum of the map should equal.
    """

    pixels: Images
    maps: Maps
    gain: Float[Tensor, " images"]

    @property
    def error(self) -> Float[Tensor, " images"]:
        """How far the sum is off, by image: the price of a path in steps."""
        return self.maps.sum(dim=(1, 2)) - self.gain


def integrated_gradients(
    model: VisionTransformer,
    images: Images,
    target: Classes,
    baseline: Images,
    steps: int = STEPS,
    batch_size: int = 8,
) -> Integrated:
    """Compute what each pixel adds to the logit of a class, on the straight way from an image that says nothing.

    Args:
        model: any Vision Transformer of the library that classifies images; it needs no attention.
        images: normalised pixels, of a size that the model takes, on its device.
        target: the class that is asked about, for each image.
        baseline: that image, normalised as the others: one for all, or one for each. Black in the paper. One that is 0
            everywhere suits no model that begins with convolutions without bias and a normalisation: to these, images
            on the way from it are all alike.
        steps: points of the path, 1 or more.
        batch_size: images computed at once, 1 or more.

    Returns:
        What speaks for the class (more than 0) and against it.

    Raises:
        ConfigError: if Captum is not installed, the model has no such class, or does not take images of this shape.

    Source:
        Sundararajan, Taly and Yan 2017 (arXiv 1703.01365), equation 1, by Captum's `IntegratedGradients`.
    """
    require_captum()
    from captum.attr import IntegratedGradients

    require_class(model, target)
    patch, (rows, columns) = model.config.patch_size, model.config.grid_of(images.shape)
    classes, start = target.to(images.device), baseline.to(images).expand_as(images)
    with evaluating(model), torch.enable_grad():
        method: Any = IntegratedGradients(lambda batch: cast(Tensor, model(batch)))
        size = max(batch_size, len(images))
        pixels: Tensor = method.attribute(
            images.detach(), baselines=start, target=classes, n_steps=steps, internal_batch_size=size
        ).detach()
    with evaluating(model), torch.no_grad():
        ends = cast(Tensor, model(torch.cat([images, start])))
        at_image, at_baseline = ends.double().gather(1, classes.repeat(2)[:, None])[:, 0].chunk(2)
    whole = pad(pixels, (0, columns * patch - pixels.shape[3], 0, rows * patch - pixels.shape[2]))
    in_patches = whole.cpu().double().reshape(len(images), -1, rows, patch, columns, patch)
    return Integrated(pixels, in_patches.sum(dim=(1, 3, 5)), (at_image - at_baseline).cpu())


def require_captum() -> None:
    """Refuse to go on without Captum.

    Raises:
        ConfigError: if it is not installed.
    """
    if importlib.util.find_spec("captum") is None:
        raise ConfigError(
            "integrated gradients need the package captum, which is not installed",
            hint="pip install 'vitrail[explain]', or uv sync --extra explain",
        )
