"""RandAugment for whole batches: geometry as matrices, colours as changes of the samples that drew them.

What a magnitude means differs between libraries. Each is a row of `SCALES`: what may be drawn, and how much of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vitrail.core.config import require
from vitrail.data.color_changes import COLORS

Numbers = npt.NDArray[np.float64]
Amount = Callable[[Numbers, Numbers], Numbers]


def _affine(batch: int, **entries: Numbers) -> Numbers:
    """Build (batch, 3, 3) maps from output to input; entries are named by row and column: `xy` adds y to x."""
    matrices = np.broadcast_to(np.eye(3), (batch, 3, 3)).copy()
    for place, value in entries.items():
        matrices[:, "xy".index(place[0]), "xy1".index(place[1])] = value
    return matrices


def _rotate(degrees: Numbers, aspect: float) -> Numbers:
    turn = np.deg2rad(degrees)
    cos, sin = np.cos(turn), np.sin(turn)
    return _affine(len(turn), xx=cos, yy=cos, xy=-sin / aspect, yx=sin * aspect)


GEOMETRY: dict[str, Callable[[Numbers, float], Numbers]] = {
    "shear_x": lambda part, aspect: _affine(len(part), xy=part / aspect),
    "shear_y": lambda part, aspect: _affine(len(part), yx=part * aspect),
    "corner_shear_x": lambda part, aspect: _affine(len(part), xy=part / aspect, x1=part / aspect),
    "corner_shear_y": lambda part, aspect: _affine(len(part), yx=part * aspect, y1=part * aspect),
    "translate_x": lambda part, _: _affine(len(part), x1=2 * part),
    "translate_y": lambda part, _: _affine(len(part), y1=2 * part),
    "rotate": _rotate,
}
"""Name → (amount of each sample, width ÷ height) → maps from output to input coordinates, both −1 … 1. The amount:
pixels across a pixel for a shear about the middle or the upper left corner, parts of the side, degrees."""


@dataclass(frozen=True)
class Scale:
    """Say what RandAugment draws from, each as likely as the others, and how much of it at a level.

    Args:
        amounts: row of `GEOMETRY` or `COLORS` → (level, −1 or 1) → its amount.
        largest: levels above count as this one.
        chance: that a layer does anything, 0 … 1.
        draws: random numbers of a layer: 2 suffice where nothing is left out, spread or placed, otherwise 6.
    """

    amounts: Mapping[str, Amount]
    largest: float = math.inf
    chance: float = 1.0
    draws: int = 6


def _none(level: Numbers, _: Numbers) -> Numbers:
    return np.zeros_like(level)


def _vitrail_factor(level: Numbers, sign: Numbers) -> Numbers:
    return 1 + 0.09 * level * sign


def _timm_factor(level: Numbers, sign: Numbers) -> Numbers:
    return np.maximum(0.1, 1 + 0.09 * level * sign)


def _big_vision_factor(level: Numbers, _: Numbers) -> Numbers:
    return 0.18 * level + 0.1


def _turn(level: Numbers, sign: Numbers) -> Numbers:
    return 3 * level * sign


def _shear(level: Numbers, sign: Numbers) -> Numbers:
    return 0.03 * level * sign


def _whole(level: Numbers, largest: int) -> Numbers:
    """Take the whole part of level ÷ 10 of a largest number, as the sources do."""
    return np.floor(level / 10 * largest)


SCALES: dict[str, Scale] = {
    "vitrail": Scale(
        {
            "shear_x": _shear,
            "shear_y": _shear,
            "translate_x": lambda level, sign: 15 / 331 * level * sign,
            "translate_y": lambda level, sign: 15 / 331 * level * sign,
            "rotate": _turn,
            "identity": _none,
            "brightness": _vitrail_factor,
            "color": _vitrail_factor,
            "contrast": _vitrail_factor,
            "sharpness": _vitrail_factor,
            "posterize": lambda level, _: 8 - np.round(0.4 * level),
            "solarize": lambda level, _: 1 - level / 10,
            "auto_contrast": _none,
            "equalize": _none,
        },
        largest=10,
        draws=2,
    ),
    "timm": Scale(
        {
            "auto_contrast": _none,
            "equalize": _none,
            "invert": _none,
            "rotate": _turn,
            "posterize": lambda level, _: 4 - _whole(level, 4),
            "solarize": lambda level, _: (255.5 - _whole(level, 256)) / 255,
            "solarize_add": lambda level, _: _whole(level, 110) / 255,
            "color": _timm_factor,
            "contrast": _timm_factor,
            "brightness": _timm_factor,
            "sharpness": _timm_factor,
            "corner_shear_x": _shear,
            "corner_shear_y": _shear,
            "translate_x": lambda level, sign: 0.045 * level * sign,
            "translate_y": lambda level, sign: 0.045 * level * sign,
        },
        largest=10,
        chance=0.5,
    ),
    "big_vision": Scale(
        {
            "auto_contrast": _none,
            "equalize": _none,
            "invert": _none,
            "rotate": _turn,
            "posterize": lambda level, _: np.clip(_whole(level, 4), 1, 8),
            "solarize": lambda level, _: (_whole(level, 256) % 256 - 0.5) / 255,
            "color": _big_vision_factor,
            "contrast_with_light": _big_vision_factor,
            "brightness": _big_vision_factor,
            "sharpness": _big_vision_factor,
            "corner_shear_x": _shear,
            "corner_shear_y": _shear,
            "translate_x": lambda level, sign: 10 / 224 * level * sign,
            "translate_y": lambda level, sign: 10 / 224 * level * sign,
            "cutout": lambda level, _: _whole(level, 40) / 224,
            "solarize_add": lambda level, _: _whole(level, 110) / 255,
        },
    ),
}
"""vitrail: torchvision's ranges; level 10 is the whole range. timm: its "increasing" set (`inc1`), where half of the
layers do nothing. big_vision: as its code behaves, where level 0 is not nothing: brightness to sharpness have 1 at
level 5, more bits are kept at higher levels, thresholds of solarize are taken modulo 256 (its issue 110), and 7 bits at
most are lost, for TensorFlow shifts no further. Its pixels are parts of 224 here. Half a level is taken from thresholds
of whole levels, so that rounding decides nothing."""


@dataclass(frozen=True)
class RandAugmentConfig:
    """Describe RandAugment: how many changes of an image are drawn, and how strong they are.

    Args:
        scale: what a magnitude means, a row of `SCALES`: "vitrail", "timm" or "big_vision".
        operations: changes of each image, one after the other, 0 or more.
        magnitude: their level, 0 … 30; "vitrail" and "timm" have no more than 10.
        spread: standard deviation of the level about the magnitude, 0 or more; each draws its own.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        Cubuk et al. 2019 (arXiv 1909.13719); `spread`: timm's `mstd`.
    """

    scale: Literal["vitrail", "timm", "big_vision"] = "vitrail"
    operations: int = 0
    magnitude: float = 9.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        require(self.scale in SCALES, "scale", self.scale, ", ".join(SCALES))
        require(self.operations >= 0, "operations", self.operations, "0 or more")
        require(0 <= self.magnitude <= 30, "magnitude", self.magnitude, "0 … 30")
        require(0 <= self.spread < math.inf, "spread", self.spread, "0 or more")

    @property
    def draws(self) -> int:
        """How many random numbers one sample needs."""
        return self.operations * (6 if self.spread else SCALES[self.scale].draws)


@dataclass(frozen=True)
class Layers:
    """Hold what each sample drew in each layer.

    Args:
        changes: (batch, layers) rows of `GEOMETRY` or `COLORS`; "identity" where nothing is done.
        amounts: (batch, layers) how much.
        places: (batch, layers, 2) where, in parts of height and width.
    """

    changes: npt.NDArray[np.str_]
    amounts: Numbers
    places: Numbers

    def geometry(self, batch: int, aspect: float = 1.0) -> Numbers:
        """Compose the changes of geometry.

        Args:
            batch: number of samples.
            aspect: width ÷ height of the images, in pixels.

        Returns:
            (batch, 3, 3) maps from output to input coordinates, both −1 … 1.
        """
        total = _affine(batch)
        for changes, amounts in zip(self.changes.T, self.amounts.T, strict=True):
            for name in np.intersect1d(changes, list(GEOMETRY)):
                chosen = changes == name
                total[chosen] = total[chosen] @ GEOMETRY[name](amounts[chosen], aspect)
        return total

    def recolor(self, images: Tensor) -> Tensor:
        """Apply the changes of colour, layer after layer.

        Args:
            images: (batch, channels, height, width) in 0 … 1.

        Returns:
            Images in 0 … 1.
        """
        for layer, changes in enumerate(self.changes.T):
            for name in np.intersect1d(changes, [name for name in COLORS if name != "identity"]):
                chosen = np.flatnonzero(changes == name)
                index, amounts, places = (
                    torch.from_numpy(values).to(images.device)
                    for values in (
                        chosen,
                        self.amounts[chosen, layer].astype(np.float32),
                        self.places[chosen, layer].astype(np.float32),
                    )
                )
                changed = COLORS[name](images[index], amounts[:, None, None, None], places)
                images = images.index_copy(0, index, changed)
        return images


def plan_layers(config: RandAugmentConfig, numbers: Numbers) -> Layers:
    """Choose changes and amounts.

    Args:
        config: how many, and how strong.
        numbers: (batch, at least `config.draws`) uniform in [0, 1).

    Returns:
        What each sample drew.
    """
    scale, batch = SCALES[config.scale], len(numbers)
    names = np.array(list(scale.amounts))
    drawn = numbers[:, : config.draws].reshape(batch, config.operations, -1 if config.operations else 2)
    which, sign = (drawn[..., 0] * len(names)).astype(np.int64), np.where(drawn[..., 1] < 0.5, -1.0, 1.0)
    level = np.full(which.shape, config.magnitude)
    changes, places = names[which], np.zeros((*which.shape, 2))
    if drawn.shape[2] > 2:
        changes = np.where(drawn[..., 2] < scale.chance, changes, "identity")
        normal = torch.special.ndtri(torch.from_numpy(np.maximum(drawn[..., 3], 2**-54))).numpy()
        level = level + config.spread * normal
        places = drawn[..., 4:]
    level = np.clip(level, 0, scale.largest)
    amounts = np.zeros(which.shape)
    for index, name in enumerate(names):
        amounts = np.where(which == index, scale.amounts[name](level, sign), amounts)
    return Layers(changes, amounts, places)
