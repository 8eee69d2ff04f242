"""Mix the images of a batch, and their labels with them: mixup and cutmix."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import one_hot

from vitrail.core.config import require
from vitrail.core.seeding import Stream, derived_seed


@dataclass(frozen=True)
class MixConfig:
    """Describe how images are mixed and labels softened; every default is "not at all".

    Args:
        mixup: α of the Beta distribution of mixup's weights; 0 for none.
        cutmix: α of the Beta distribution of cutmix's areas; 0 for none.
        probability: chance that a batch is mixed, 0 … 1; with both kinds on, each takes half of the mixed batches.
        label_smoothing: part of the label spread over all classes, 0 ≤ part < 1.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        Mixup: arXiv 1710.09412; cutmix: arXiv 1905.04899; label smoothing: arXiv 1512.00567.
    """

    mixup: float = 0.0
    cutmix: float = 0.0
    probability: float = 1.0
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.mixup < math.inf, "mixup", self.mixup, "0 or more")
        require(0 <= self.cutmix < math.inf, "cutmix", self.cutmix, "0 or more")
        require(0 <= self.probability <= 1, "probability", self.probability, "0 … 1")
        require(0 <= self.label_smoothing < 1, "label_smoothing", self.label_smoothing, "0 ≤ part < 1")


def mix_batch(
    config: MixConfig,
    images: Float[Tensor, "batch channels height width"],
    labels: Int64[Tensor, " batch"],
    num_classes: int,
    seed: int,
    epoch: int,
    step: int,
) -> tuple[Float[Tensor, "batch channels height width"], Float[Tensor, "batch classes"]]:
    """Mix one batch, as a function of (seed, epoch, step).

    Args:
        config: how strongly.
        images: any scale.
        labels: class of each image.
        num_classes: number of classes.
        seed: seed of the run.
        epoch: epoch number.
        step: step within the epoch.

    Returns:
        Mixed images, and the probability of each class as target.
    """
    targets = one_hot(labels, num_classes).to(images.dtype)
    if config.label_smoothing:
        targets = targets * (1 - config.label_smoothing) + config.label_smoothing / num_classes
    kinds = [kind for kind in ("mixup", "cutmix") if getattr(config, kind) > 0]
    draw = np.random.Generator(np.random.Philox(derived_seed(seed, Stream.MIX, epoch, step)))
    if not kinds or draw.random() >= config.probability:
        return images, targets
    kind = kinds[int(draw.random() * len(kinds))]
    alpha = getattr(config, kind)
    partner = torch.from_numpy(draw.permutation(len(images))).to(images.device)
    if kind == "mixup":
        weights = torch.from_numpy(draw.beta(alpha, alpha, len(images)).astype(np.float32)).to(images.device)
        mixed = images + (images[partner] - images) * weights[:, None, None, None]
    else:
        height, width = images.shape[2:]
        side = np.sqrt(draw.beta(alpha, alpha))
        top, left = draw.random() * height - side * height / 2, draw.random() * width - side * width / 2
        rows = slice(max(0, round(top)), min(height, round(top + side * height)))
        columns = slice(max(0, round(left)), min(width, round(left + side * width)))
        mixed = images.clone()
        mixed[:, :, rows, columns] = images[partner][:, :, rows, columns]
        area = max(0, rows.stop - rows.start) * max(0, columns.stop - columns.start)
        weights = images.new_full((len(images),), area / (height * width))
    return mixed, targets + (targets[partner] - targets) * weights[:, None]
