"""Augment a whole batch at once: one affine resampling for all geometry, then colours, then erasing.

What happens to a sample is a function of the numbers drawn for it, so it depends on (seed, epoch, sample) alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from vitrail.core.config import require
from vitrail.data.color_changes import grey, mean_level
from vitrail.data.dataset import Traits
from vitrail.data.randaugment import RandAugmentConfig, plan_layers
from vitrail.data.three_augment import DRAWS as THREE_AUGMENT_DRAWS
from vitrail.data.three_augment import three_augment

Numbers = npt.NDArray[np.float64]
_FIXED_DRAWS = 17


@dataclass(frozen=True)
class AugmentConfig:
    """Describe how training images are varied; every default is "not at all".

    Args:
        crop_scale: area of the random crop ÷ area of the image, lowest and highest, 0 < area ≤ 1.
        crop_ratio: aspect of the crop ÷ aspect of the output, lowest; the highest is its inverse. Where a crop of the
            area drawn does not fit into the image, its area is smaller.
        flip: mirror half of the images, where the data allow it.
        rotate: largest turn in degrees, either way.
        zoom: largest relative change of scale, either way, 0 ≤ zoom < 1.
        shift: largest shift ÷ side, either way, 0 ≤ shift < 1.
        shear: largest shear, either way.
        brightness: largest relative change, either way.
        contrast: largest relative change, either way.
        saturation: largest relative change, either way; of three channels only.
        rand: RandAugment: scale, operations, magnitude, spread.
        erase: chance that a random rectangle is blanked, 0 … 1.
        erase_fill: what fills it: one level ("flat"), or normal noise of the spec's mean and std ("noise").
        three_augment: whether each image is made grey, solarized or blurred (DeiT III), before its levels are changed.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        Crop: Szegedy et al. 2014 (arXiv 1409.4842); erasing: arXiv 1708.04896, its noise as timm's "pixel".
    """

    crop_scale: tuple[float, float] = (1.0, 1.0)
    crop_ratio: float = 0.75
    flip: bool = False
    rotate: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    rand: RandAugmentConfig = RandAugmentConfig()
    erase: float = 0.0
    erase_fill: Literal["flat", "noise"] = "flat"
    three_augment: bool = False

    def __post_init__(self) -> None:
        low, high = self.crop_scale
        require(0 < low <= high <= 1, "crop_scale", self.crop_scale, "0 < lowest ≤ highest ≤ 1")
        require(0 < self.crop_ratio <= 1, "crop_ratio", self.crop_ratio, "0 < ratio ≤ 1")
        for name in ("rotate", "shear"):
            require(0 <= getattr(self, name) < math.inf, name, getattr(self, name), "0 or more")
        for name in ("zoom", "shift", "brightness", "contrast", "saturation"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "0 ≤ value < 1")
        require(0 <= self.erase <= 1, "erase", self.erase, "0 … 1")
        require(self.erase_fill in ("flat", "noise"), "erase_fill", self.erase_fill, "flat, noise")

    @property
    def draws(self) -> int:
        """How many random numbers one sample needs."""
        return self.first_of_colors + THREE_AUGMENT_DRAWS + 2

    @property
    def first_of_colors(self) -> int:
        """Where the random numbers of 3-Augment, saturation and noise begin; all others come before."""
        return _FIXED_DRAWS + self.rand.draws

    @property
    def crops(self) -> bool:
        """Whether a random crop is taken."""
        return self.crop_scale[0] < 1


def crop_boxes(config: AugmentConfig, numbers: Numbers, stretch: float = 1.0) -> Numbers:
    """Draw the random crop of each sample.

    Args:
        config: how strongly.
        numbers: (batch, draws) uniform in [0, 1).
        stretch: aspect (width ÷ height) of the image ÷ aspect of the output.

    Returns:
        (batch, 4): top, left, height, width as parts of the image, 0 … 1.
    """
    low, high = config.crop_scale
    lowest = max(config.crop_ratio, low)  # beyond it, a crop of area `low` does not fit
    ratio = np.exp(np.log(lowest) * (2 * numbers[:, 1] - 1)) / stretch
    area = np.minimum(low + (high - low) * numbers[:, 0], np.minimum(ratio, 1 / ratio))
    height, width = np.sqrt(area / ratio), np.sqrt(area * ratio)
    return np.stack([(1 - height) * numbers[:, 2], (1 - width) * numbers[:, 3], height, width], axis=1)


class Augment:
    """Vary batches of training images.

    Args:
        config: how strongly.
        traits: what the data allow.
        size: height and width that come out.
        cropped: whether the random crop was already taken while decoding.
        mean: mean level of each channel, or of all, 0 … 1, for noise.
        std: its standard deviation.
    """

    def __init__(
        self,
        config: AugmentConfig,
        traits: Traits,
        size: tuple[int, int],
        cropped: bool = False,
        mean: Sequence[float] = (0.5,),
        std: Sequence[float] = (0.5,),
    ) -> None:
        self.config = config
        self.traits = traits
        self.size = size
        self.cropped = cropped
        self.mean, self.std = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]

    def __call__(
        self, pixels: UInt8[Tensor, "batch height width channels"], numbers: Numbers
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        """Vary one batch.

        Args:
            pixels: images.
            numbers: (batch, draws) uniform in [0, 1), one row a sample.

        Returns:
            Images in 0 … 1 but for noise, not yet normalised.
        """
        config = self.config
        images = pixels.permute(0, 3, 1, 2).contiguous().float().div_(255)
        layers = plan_layers(config.rand, numbers[:, _FIXED_DRAWS:])
        matrices = self._matrices(numbers, layers.geometry(len(images), self.size[1] / self.size[0]))
        moved = np.flatnonzero((matrices != np.eye(3)).any(axis=(1, 2)))
        if tuple(images.shape[2:]) != self.size or len(moved) == len(images):
            images = self._resample(images, matrices)
        elif len(moved):
            index = torch.from_numpy(moved).to(images.device)
            images = images.index_copy(0, index, self._resample(images[index], matrices[moved]))
        if images.shape[1] in (1, 3):  # what RandAugment does to colours means nothing for other channels
            images = layers.recolor(images)
            if config.three_augment:
                images = three_augment(images, numbers[:, config.first_of_colors :])
        images = self._jitter(images, numbers)
        return self._erase(images, numbers)

    def _resample(self, images: Tensor, matrices: Numbers) -> Tensor:
        theta = torch.from_numpy(matrices[:, :2].astype(np.float32)).to(images.device)
        grid = affine_grid(theta, [*images.shape[:2], *self.size], align_corners=False)
        padding = "reflection" if self.traits.photo else "zeros"
        return grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)

    def _matrices(self, numbers: Numbers, extra: Numbers) -> Numbers:
        """Compose, for each sample, the map from output to input coordinates, both −1 … 1."""
        config, batch, aspect = self.config, len(numbers), self.size[1] / self.size[0]
        signed = 2 * numbers - 1
        turn = np.deg2rad(config.rotate) * signed[:, 5]
        scale = 1 + config.zoom * signed[:, 6]
        rotation = _eye(batch)
        rotation[:, 0, 0] = rotation[:, 1, 1] = np.cos(turn) / scale
        rotation[:, 0, 1], rotation[:, 1, 0] = -np.sin(turn) / scale / aspect, np.sin(turn) / scale * aspect
        rotation[:, 0, 2], rotation[:, 1, 2] = 2 * config.shift * signed[:, 7], 2 * config.shift * signed[:, 8]
        shear = _eye(batch)
        shear[:, 0, 1] = config.shear * signed[:, 9] / aspect
        matrices = rotation @ shear @ extra
        if config.flip and self.traits.flip:
            matrices[:, :, 0] *= np.where(numbers[:, 4] < 0.5, -1.0, 1.0)[:, None]
        if config.crops and not self.cropped:
            top, left, height, width = crop_boxes(config, numbers).T
            crop = _eye(batch)
            crop[:, 0, 0], crop[:, 1, 1] = width, height
            crop[:, 0, 2], crop[:, 1, 2] = 2 * left + width - 1, 2 * top + height - 1
            matrices = crop @ matrices
        return matrices

    def _jitter(self, images: Tensor, numbers: Numbers) -> Tensor:
        config = self.config
        if config.saturation and images.shape[1] == 3:
            drawn = 1 + config.saturation * (2 * numbers[:, config.first_of_colors + THREE_AUGMENT_DRAWS] - 1)
            factor = torch.from_numpy(drawn.astype(np.float32)).to(images.device)[:, None, None, None]
            level = grey(images)
            images = (level + (images - level) * factor).clamp_(0, 1)
        if not (config.brightness or config.contrast):
            return images
        signed = torch.from_numpy((2 * numbers[:, 10:12] - 1).astype(np.float32)).to(images.device)
        gain = 1 + config.contrast * signed[:, 1, None, None, None]
        mean = mean_level(images)
        bright = 1 + config.brightness * signed[:, 0, None, None, None]
        return ((images - mean) * gain + mean).mul_(bright).clamp_(0, 1)

    def _erase(self, images: Tensor, numbers: Numbers) -> Tensor:
        if not self.config.erase:
            return images
        height, width = self.size
        area = 0.02 + 0.31 * numbers[:, 13]
        ratio = np.exp(np.log(0.3) * (2 * numbers[:, 14] - 1))
        tall, wide = np.minimum(np.sqrt(area / ratio), 1), np.minimum(np.sqrt(area * ratio), 1)
        top, left = (1 - tall) * numbers[:, 15] * height, (1 - wide) * numbers[:, 16] * width
        rows, columns = np.arange(height)[None, :], np.arange(width)[None, :]
        in_rows = (rows >= top[:, None]) & (rows < (top + tall * height)[:, None])
        in_columns = (columns >= left[:, None]) & (columns < (left + wide * width)[:, None])
        chosen = (numbers[:, 12] < self.config.erase)[:, None, None]
        holes = chosen & in_rows[:, :, None] & in_columns[:, None, :]
        hole = torch.from_numpy(holes).to(images.device)[:, None]
        if self.config.erase_fill == "flat":
            return images.masked_fill(hole, 0.5 if self.traits.photo else 0.0)
        noise = np.zeros(images.shape, np.float32)
        for index in np.flatnonzero(holes.any(axis=(1, 2))):
            draw = np.random.Generator(np.random.Philox(int(numbers[index, self.config.draws - 1] * 2**53)))
            shape = (images.shape[1], int(holes[index].sum()))
            noise[index][:, holes[index]] = draw.standard_normal(shape, dtype=np.float32)
        return torch.where(hole, (self.mean + self.std * torch.from_numpy(noise)).to(images.device), images)


def _eye(batch: int) -> Numbers:
    return np.broadcast_to(np.eye(3), (batch, 3, 3)).copy()
