"""Published recipes, against tables written from their sources, and on their first steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from vitrail.core.config import to_dict
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.models.variants import variant_fields
from vitrail.train.distillation import Distillation
from vitrail.train.loop import StepDone, train_model
from vitrail.train.objective import Classification, Objective, bias_heads
from vitrail.train.optimizer import build_optimizer
from vitrail.train.recipe import Recipe
from vitrail.train.recipes import RECIPES
from vitrail.train.schedule import learning_rate

CROP = {"crop_scale": [0.05, 1.0], "crop_ratio": 0.75, "flip": True}
ALL_OFF: dict[str, Any] = to_dict(Recipe())
SOFTMAX = {"loss": "softmax", "head_bias": 0.0}
NOTHING_DROPPED = {"drop_rate": 0.0, "attn_drop_rate": 0.0, "drop_path_rate": 0.0}


def big_vision(epochs: int, batch: int, objective: dict[str, Any], randaug: tuple[int, int], mixup: float) -> Any:
    """What `vit_i1k.py` and `vit_s16_i1k.py` share: wd 1e-4 in each step at a rate of 1e-3 is 0.1 of the rate."""
    rand = {"scale": "big_vision", "operations": randaug[0], "magnitude": randaug[1], "spread": 0.0}
    return {
        "epochs": epochs, "batch_size": batch, "image_size": 224, "ema": 0.0,
        "optimizer": {
            "kind": "adamw", "lr": 1e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 1e-4 / 1e-3, "clip": 1.0
        },
        "augment": {**CROP, "rand": rand}, "mix": {"mixup": mixup} if mixup else {}, "objective": objective,
        "order": {"repeats": 1}, "drop": NOTHING_DROPPED,
    }  # fmt: skip


AUGREG = {"loss": "sigmoid", "head_bias": -6.9}
RANDAUG = {
    "none": (0, 0), "light1": (2, 0), "light2": (2, 10), "medium1": (2, 15), "medium2": (2, 15), "strong1": (2, 20),
    "strong2": (2, 20),
}  # fmt: skip
MIXUP = {"none": 0, "light1": 0, "light2": 0.2, "medium1": 0.2, "medium2": 0.5, "strong1": 0.5, "strong2": 0.8}
SOURCES: dict[str, dict[str, Any]] = {
    "paper_i1k": {
        "epochs": 300, "batch_size": 4096, "image_size": 224, "ema": 0.0,
        "optimizer": {"kind": "adamw", "lr": 3e-3, "betas": [0.9, 0.999], "weight_decay": 0.3, "clip": 1.0},
        "augment": CROP, "mix": {}, "objective": SOFTMAX, "order": {"repeats": 1},
        "drop": {"drop_rate": 0.1, "attn_drop_rate": 0.0, "drop_path_rate": 0.0},
    },
    "paper_i21k": {
        "epochs": 90, "batch_size": 4096, "image_size": 224, "ema": 0.0,
        "optimizer": {"kind": "adamw", "lr": 1e-3, "betas": [0.9, 0.999], "weight_decay": 0.03, "clip": None},
        "augment": CROP, "mix": {}, "objective": SOFTMAX, "order": {"repeats": 1},
        "drop": {"drop_rate": 0.1, "attn_drop_rate": 0.0, "drop_path_rate": 0.0},
    },
    "paper_finetune": {
        "epochs": None, "batch_size": 512, "image_size": 384, "ema": 0.0,
        "optimizer": {"kind": "sgd", "lr": 0.03, "momentum": 0.9, "weight_decay": 0.0, "clip": 1.0},
        "augment": CROP, "mix": {}, "objective": SOFTMAX, "order": {"repeats": 1},
        "drop": None,
    },
    "augreg": big_vision(300, 4096, AUGREG, (2, 15), 0.5),
    **{f"augreg_{level}": big_vision(300, 4096, AUGREG, RANDAUG[level], MIXUP[level]) for level in RANDAUG},
    "better_plain_s16": big_vision(90, 1024, SOFTMAX, (2, 10), 0.2),
    "deit": {
        "epochs": 300, "batch_size": 1024, "image_size": 224, "ema": 0.99996,
        "optimizer": {
            "kind": "adamw", "lr": 5e-4 * 1024 / 512, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05,
            "clip": None,
        },
        "augment": {
            "crop_scale": [0.08, 1.0], "crop_ratio": 0.75, "flip": True, "erase": 0.25, "erase_fill": "noise",
            "rand": {"scale": "timm", "operations": 2, "magnitude": 9.0, "spread": 0.5},
        },
        "mix": {"mixup": 0.8, "cutmix": 1.0, "probability": 1.0, "label_smoothing": 0.1},
        "objective": SOFTMAX, "order": {"repeats": 3}, "drop": {**NOTHING_DROPPED, "drop_path_rate": 0.1},
    },
    "deit3": {
        "epochs": 800, "batch_size": 8 * 256, "image_size": 192, "ema": 0.0,
        "optimizer": {
            "kind": "lamb", "lr": 3e-3, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05, "clip": 1.0
        },
        "augment": {
            "crop_scale": [0.08, 1.0], "crop_ratio": 0.75, "flip": True, "three_augment": True, "brightness": 0.3,
            "contrast": 0.3, "saturation": 0.3,
        },
        "mix": {"mixup": 0.8, "cutmix": 1.0, "probability": 1.0, "label_smoothing": 0.0},
        "objective": {"loss": "binary", "head_bias": 0.0}, "order": {"repeats": 3},
        "drop": {"drop_rate": 0.0, "attn_drop_rate": 0.0, "drop_path_rate": 0.2},
    },
}  # fmt: skip
HARD = {"distillation": "hard", "temperature": 1.0, "teacher_share": 0.5, "distillation_token": True}
SOURCES["deit_distilled"] = {**SOURCES["deit"], "objective": {**SOFTMAX, **HARD}}
"""Dosovitskiy et al. 2020, tables 3 and 4, and google-research/vision_transformer; big_vision's configs; the defaults
of DeiT's main.py, and DeiT III's command for B/16. Whatever is not named is off."""

RATES: dict[str, tuple[int, dict[int, float]]] = {
    "paper_i1k": (93_834, {5_000: 1.5e-3, 10_000: 3e-3, 51_917: 1.5e-3, 93_833: 0.0}),
    "paper_i21k": (312_000, {5_000: 5e-4, 10_000: 1e-3, 161_000: 5.05e-4, 311_999: 1e-5}),
    "augreg": (92_897, {5_000: 5e-4, 10_000: 1e-3, 51_448: 5e-4, 92_896: 0.0}),
    "better_plain_s16": (111_477, {5_000: 5e-4, 10_000: 1e-3, 60_738: 5e-4, 111_476: 0.0}),
    "deit": (300 * 1251, {0: 1e-6, 3_127: 5.005e-4, 6_255: 1e-3, 190_777: 5.05e-4, 375_299: 1e-5}),
    "deit3": (800 * 625, {0: 1e-6, 1_562: 1.5e-3, 3_125: 3e-3, 251_562: 1.505e-3, 499_999: 1e-5}),
    "paper_finetune": (20_000, {250: 0.015, 500: 0.03, 10_250: 0.015, 19_999: 0.0}),
}
"""Steps of the whole training, and the rate at some of them."""

MODELS: dict[str, dict[str, Any]] = {
    "augreg": {"representation_size": 16},
    "better_plain_s16": {
        "position": "sincos_2d", "class_token": False, "pool": {"kind": "mean", "norm_after": False},
        "representation_size": 16,
    },
    "deit_distilled": {"distilled": True},
}  # fmt: skip
"""What the models of a source have besides, made small."""


@pytest.mark.parametrize("name", SOURCES)
def test_every_setting_is_that_of_the_source(name: str) -> None:
    recipe, source = to_dict(RECIPES[name]), SOURCES[name]
    for part in ("augment", "mix", "objective", "order"):
        assert recipe[part] == ALL_OFF[part] | source[part], part
    for key in ("epochs", "batch_size", "image_size", "ema", "drop"):
        assert recipe[key] == source[key], key
    assert {key: recipe["optimizer"][key] for key in source["optimizer"]} == source["optimizer"]


@pytest.mark.parametrize("name", RATES)
def test_the_rate_at_every_phase(name: str) -> None:
    """The first step of the sources is 0, ours is one part of the warm-up; no rate differs by more than that."""
    recipe, (total, rates) = RECIPES[name], RATES[name]
    for step, rate in rates.items():
        ours = learning_rate(recipe.schedule, recipe.optimizer.lr, step, total)
        warmup = min(recipe.schedule.warmup_steps or total, recipe.schedule.warmup * total)
        assert ours == pytest.approx(rate, abs=1.01 * recipe.optimizer.lr / warmup), step


@pytest.mark.parametrize("name", SOURCES)
def test_matrices_alone_decay_and_all_learn_alike(name: str) -> None:
    fields = MODELS.get(name, {})
    config = ViTConfig.of(img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3, **fields)
    model, recipe = VisionTransformer(config), RECIPES[name]
    names = {id(value): one for one, value in model.named_parameters()}
    for group in build_optimizer(model, recipe.optimizer).param_groups:
        for value in group["params"]:
            matrix = value.ndim > 1 and names[id(value)] not in ("cls_token", "dist_token", "pos_embed")
            assert group["weight_decay"] == (recipe.optimizer.weight_decay if matrix else 0), names[id(value)]
            assert group["lr_scale"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("augreg_")])
def test_the_first_steps_run(name: str, make_case: Callable[..., Any]) -> None:
    """With the source's loss, and where `MODELS` says so with its kind of model; the teacher has drawn weights."""
    case = make_case(RECIPES[name], batch_size=8, **MODELS.get(name, {}))
    bias_heads(case.state.model, case.recipe.objective.head_bias)
    objective: Objective = Classification(case.recipe.objective)
    if case.recipe.objective.distillation != "none":
        teacher = VisionTransformer(case.state.model.config.updated(distilled=False)).eval().requires_grad_(False)
        objective = Distillation(Classification(case.recipe.objective), case.recipe.objective, teacher)
    events = list(train_model(case.state, case.loader, case.recipe, 200, torch.device("cpu"), objective))
    losses = [event.loss for event in events if isinstance(event, StepDone)]
    assert len(losses) == 200 and all(torch.isfinite(torch.tensor(losses)))
    assert sum(losses[-30:]) < sum(losses[:30]), "it learns"


def test_the_better_plain_baseline_begins_with_equal_probabilities() -> None:
    fields = variant_fields("vit_small_patch16_baseline_tanh_224") | {"depth": 1, "img_size": 16, "num_classes": 3}
    model = VisionTransformer(ViTConfig.of(**fields))
    assert model.pre_logits.fc.out_features == 384 and model.cls_token is None
    assert torch.equal(model(torch.randn(2, 3, 16, 16)), torch.zeros(2, 3))
