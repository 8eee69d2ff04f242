"""Recipes: values out of range, and that every row survives being written."""

from __future__ import annotations

from typing import Any

import pytest

from vitrail.core.config import from_dict, to_dict
from vitrail.core.errors import ConfigError
from vitrail.core.toml import read_toml, write_toml
from vitrail.data.order import OrderConfig
from vitrail.nn.lora import LoraConfig
from vitrail.train.recipe import ObjectiveConfig, OptimizerConfig, PartsConfig, Recipe, ScheduleConfig
from vitrail.train.recipes import RECIPES

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("name", RECIPES)
def test_rows_survive_being_written(name: str, tmp_path: Any) -> None:
    recipe = RECIPES[name]
    assert from_dict(Recipe, to_dict(recipe)) == recipe
    write_toml(tmp_path / "recipe.toml", recipe, "a recipe")
    assert read_toml(tmp_path / "recipe.toml", Recipe) == recipe


@pytest.mark.parametrize(
    ("config", "field", "value"),
    [
        (OptimizerConfig, "lr", 0.0), (OptimizerConfig, "lr", INF), (OptimizerConfig, "lr", NAN),
        (OptimizerConfig, "betas", (0.9, 1.0)), (OptimizerConfig, "betas", (-0.1, 0.9)), (OptimizerConfig, "eps", -1.0),
        (OptimizerConfig, "weight_decay", -0.1), (OptimizerConfig, "weight_decay", NAN), (OptimizerConfig, "clip", 0.0),
        (Recipe, "epochs", 0), (Recipe, "batch_size", 0), (Recipe, "micro_batch", 0), (Recipe, "ema", 1.0),
        (Recipe, "ema", -0.1), (Recipe, "image_size", 0), (ScheduleConfig, "warmup_steps", -1),
        (PartsConfig, "last_blocks", -1), (PartsConfig, "layer_decay", 0.0), (PartsConfig, "layer_decay", 1.1),
        (ObjectiveConfig, "class_weights", 1.1), (ObjectiveConfig, "logit_adjustment", -1.0),
        (ObjectiveConfig, "head_bias", INF), (OrderConfig, "balance", 1.1), (OrderConfig, "repeats", 0),
        (LoraConfig, "rank", 0), (LoraConfig, "alpha", 0.0), (LoraConfig, "targets", "(qkv"),
    ],
)  # fmt: skip
def test_values_out_of_range(config: Any, field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        config(**{field: value})


def test_what_is_frozen_is_said_once() -> None:
    with pytest.raises(ConfigError, match="last_blocks or layer_decay"):
        PartsConfig(last_blocks=2, lora=LoraConfig(".*"))


def test_none_is_allowed_where_it_means_something() -> None:
    assert OptimizerConfig(clip=None).clip is None
    assert (Recipe(epochs=None).epochs, Recipe(micro_batch=None).micro_batch) == (None, None)
