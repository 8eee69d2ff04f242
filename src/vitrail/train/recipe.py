"""Training hyper-parameters as data: the table of recipes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vitrail.core.config import require
from vitrail.core.table import Table
from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig


@dataclass(frozen=True)
class OptimizerConfig:
    """Describe the optimizer: AdamW with decoupled decay on weight matrices only, or Muon for the hidden ones.

    Args:
        kind: "adamw", or "muon" for matrices between hidden features and AdamW for everything else.
        lr: peak learning rate, greater than 0.
        betas: decay of the running means of gradient and squared gradient, 0 ≤ β < 1.
        eps: added to the root of the squared gradient.
        weight_decay: decay per step ÷ learning rate, 0 or more.
        clip: largest global norm of the gradient; None for no limit.
        momentum: decay of Muon's running sum of gradients, 0 ≤ momentum < 1.
        muon_scale: learning rate of Muon ÷ `lr`, greater than 0.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        AdamW: Loshchilov and Hutter 2017 (arXiv 1711.05101). Muon: Jordan et al. 2024, see `Muon`.
    """

    kind: Literal["adamw", "muon"] = "adamw"
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.05
    clip: float | None = 1.0
    momentum: float = 0.95
    muon_scale: float = 1.0

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, "lr", self.lr, "greater than 0")
        require(all(0 <= beta < 1 for beta in self.betas), "betas", self.betas, "0 ≤ β < 1")
        require(0 <= self.eps < math.inf, "eps", self.eps, "0 or more")
        require(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip is None or self.clip > 0, "clip", self.clip, "greater than 0, or none")
        require(0 <= self.momentum < 1, "momentum", self.momentum, "0 ≤ momentum < 1")
        require(0 < self.muon_scale < math.inf, "muon_scale", self.muon_scale, "greater than 0")


@dataclass(frozen=True)
class ScheduleConfig:
    """Describe how the learning rate moves: up linearly, then down.

    Args:
        decay: shape of the way down.
        warmup: part of all steps spent going up, 0 ≤ part < 1.
        final: learning rate at the end ÷ peak, 0 … 1.

    Raises:
        ConfigError: for a value out of its range.
    """

    decay: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.1
    final: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.warmup < 1, "warmup", self.warmup, "0 ≤ part < 1")
        require(0 <= self.final <= 1, "final", self.final, "0 … 1")


@dataclass(frozen=True)
class Recipe:
    """Hold everything that decides how a model learns, the data and the model aside.

    Args:
        epochs: passes over the training split when neither `--epochs` nor `--minutes` is given; None: by its size.
        batch_size: images a step.
        micro_batch: images that go through the model at once; gradients of a step are accumulated. None: all.
        ema: decay of the running mean of weights that is evaluated and saved, 0 ≤ decay < 1; 0 for none.
        precision: "auto" is bfloat16 on GPUs that have it, float32 elsewhere.
        optimizer: lr, betas, eps, weight_decay, clip.
        schedule: decay, warmup, final.
        augment: how single images are varied.
        mix: how images and labels are mixed.

    Raises:
        ConfigError: for a value out of its range.
    """

    epochs: int | None = None
    batch_size: int = 64
    micro_batch: int | None = None
    ema: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    augment: AugmentConfig = AugmentConfig()
    mix: MixConfig = MixConfig()

    def __post_init__(self) -> None:
        require(self.epochs is None or self.epochs >= 1, "epochs", self.epochs, "1 or more")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.micro_batch is None or self.micro_batch >= 1, "micro_batch", self.micro_batch, "1 or more")
        require(0 <= self.ema < 1, "ema", self.ema, "0 ≤ decay < 1")


RECIPES: Table[Recipe] = Table(
    "recipe",
    {
        "small": Recipe(
            batch_size=64,
            ema=0.998,
            optimizer=OptimizerConfig(kind="muon", lr=4e-3, weight_decay=0.05),
            schedule=ScheduleConfig(warmup=0.1),
            augment=AugmentConfig(shift=0.05, flip=True),
            mix=MixConfig(label_smoothing=0.1),
        ),
        "small_few": Recipe(
            batch_size=64,
            ema=0.998,
            optimizer=OptimizerConfig(lr=2e-3, weight_decay=0.05),
            schedule=ScheduleConfig(warmup=0.1),
            augment=AugmentConfig(rotate=6, zoom=0.06, shift=0.06, shear=0.06, flip=True),
            mix=MixConfig(mixup=0.2, label_smoothing=0.1),
        ),
        "photos": Recipe(
            batch_size=64,
            ema=0.999,
            optimizer=OptimizerConfig(lr=1e-3, weight_decay=0.05),
            schedule=ScheduleConfig(warmup=0.1),
            augment=AugmentConfig(crop_scale=(0.3, 1.0), flip=True, rand_layers=2, rand_magnitude=9, erase=0.1),
            mix=MixConfig(mixup=0.2, cutmix=1.0, probability=0.5, label_smoothing=0.1),
        ),
    },
)
"""From scratch. `small`: small images, 80 pixels at most, of which there are many; Muon learns more from few passes.
`small_few`: small images of which there are few, varied more strongly. `photos`: photographs."""
