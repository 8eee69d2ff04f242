"""From scratch on what a laptop can learn: recipes of our own."""

from __future__ import annotations

from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.train.recipe import OptimizerConfig, Recipe, ScheduleConfig

SMALL = Recipe(
    batch_size=64,
    ema=0.998,
    optimizer=OptimizerConfig(kind="muon", lr=4e-3, weight_decay=0.05),
    schedule=ScheduleConfig(warmup=0.1),
    augment=AugmentConfig(shift=0.05, flip=True),
    mix=MixConfig(label_smoothing=0.1),
)
"""Small images, 80 pixels at most, of which there are many; Muon learns more from few passes."""

SMALL_FEW = Recipe(
    batch_size=64,
    ema=0.998,
    optimizer=OptimizerConfig(lr=2e-3, weight_decay=0.05),
    schedule=ScheduleConfig(warmup=0.1),
    augment=AugmentConfig(rotate=6, zoom=0.06, shift=0.06, shear=0.06, flip=True),
    mix=MixConfig(mixup=0.2, label_smoothing=0.1),
)
"""Small images of which there are few, varied more strongly."""

PHOTOS = Recipe(
    batch_size=64,
    ema=0.999,
    optimizer=OptimizerConfig(lr=1e-3, weight_decay=0.05),
    schedule=ScheduleConfig(warmup=0.1),
    augment=AugmentConfig(
        crop_scale=(0.3, 1.0), flip=True, rand=RandAugmentConfig(operations=2, magnitude=9), erase=0.1
    ),
    mix=MixConfig(mixup=0.2, cutmix=1.0, probability=0.5, label_smoothing=0.1),
)
"""Photographs."""
