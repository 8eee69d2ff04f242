"""A tiny training: images in memory, a tiny Vision Transformer, a recipe that uses everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from vitrail.core.seeding import Stream, derived_seed
from vitrail.data.augment import AugmentConfig
from vitrail.data.dataset import Samples, Traits
from vitrail.data.loader import TrainLoader
from vitrail.data.mixing import MixConfig
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.data.spec import ImageSpec
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.lora import adapt
from vitrail.train.loop import TrainState
from vitrail.train.optimizer import Policies
from vitrail.train.recipe import OptimizerConfig, Recipe

MODEL = {
    "img_size": 8, "patch_size": 4, "in_chans": 1, "embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0,
    "num_classes": 3, "init": "post",
}  # fmt: skip
REGULARISED = {"drop_rate": 0.2, "attn_drop_rate": 0.1, "drop_path_rate": 0.2}
EVERYTHING = Recipe(
    batch_size=8,
    ema=0.9,
    optimizer=OptimizerConfig(lr=3e-3),
    augment=AugmentConfig(flip=True, rotate=10, shift=0.1, rand=RandAugmentConfig(operations=1), erase=0.2),
    mix=MixConfig(mixup=0.4, cutmix=1.0, probability=0.7, label_smoothing=0.1),
)


def _samples(count: int = 26, classes: int = 3) -> Samples:
    """Make images whose bright rows, one in each row of patches, say their class."""
    labels = np.arange(count) % classes
    images = np.random.default_rng(2).integers(0, 120, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[[label, label + 4]] += 120
    return Samples(images, labels.astype(np.int64), [f"{index}" for index in range(count)])


class Case:
    """Hold one tiny training."""

    def __init__(self, recipe: Recipe, seed: int, policies: Policies | None, fields: dict[str, Any]) -> None:
        spec = ImageSpec((8, 8), (0.5,), (0.5,), color="L")
        self.recipe = recipe
        self.loader = TrainLoader(
            _samples(), spec, recipe.augment, recipe.mix, Traits(), 3, recipe.batch_size, seed, 0, order=recipe.order
        )
        torch.manual_seed(derived_seed(seed, Stream.INIT))
        model = VisionTransformer(ViTConfig.of(**{**MODEL, **fields}))
        if recipe.parts.lora.targets:
            adapt(model, recipe.parts.lora)
        self.state = TrainState.start(model, recipe, policies)


@pytest.fixture(scope="session")
def make_case() -> Callable[..., Case]:
    """Give a function of (recipe, seed, policies, changes of the recipe, model fields) that makes a training."""

    def make(recipe: Recipe = EVERYTHING, seed: int = 0, policies: Policies | None = None, **fields: Any) -> Case:
        changes = {name: fields.pop(name) for name in list(fields) if name in Recipe.__dataclass_fields__}
        return Case(replace(recipe, **changes), seed, policies, fields)

    return make


@pytest.fixture(scope="session")
def regularised() -> dict[str, float]:
    """Give model fields that drop something of every kind."""
    return dict(REGULARISED)
