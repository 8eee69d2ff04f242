"""The tables from which `fit` chooses what the user left open: weights, model, recipe, number of epochs."""

from __future__ import annotations

from typing import NamedTuple


class ModelChoice(NamedTuple):
    """Say what suits images up to a size.

    Args:
        side: images whose shorter side (median) is at most this many pixels.
        variant: the model on a CPU.
        gpu_variant: the model on a GPU.
    """

    side: float
    variant: str
    gpu_variant: str


MODEL_CHOICES = (
    ModelChoice(12, "vit_nano_conv_patch2_8", "vit_nano_conv_patch2_8"),
    ModelChoice(20, "vit_micro_conv_patch4_16", "vit_micro_conv_patch4_16"),
    ModelChoice(30, "vit_pico_conv_patch4_28", "vit_micro_conv_patch4_28"),
    ModelChoice(48, "vit_micro_conv_patch4_32", "vit_mini_conv_patch4_32"),
    ModelChoice(80, "vit_mini_conv_patch8_64", "vit_mini_conv_patch8_64"),
    ModelChoice(float("inf"), "vit_pico_conv_patch16_96", "vit_small_patch16_224"),
)


class StartChoice(NamedTuple):
    """Say which published weights suit images up to a size.

    Args:
        side: images whose shorter side (median), and side to be trained at if it is given, is at most this many pixels.
        name: row of `PRETRAINED` for a CPU; "" for none.
        gpu_name: row for a GPU.
        reason: why this one.
    """

    side: float
    name: str
    gpu_name: str
    reason: str


START_CHOICES = (
    StartChoice(80, "", "", "small images have small models, which learn from scratch in minutes"),
    StartChoice(
        float("inf"),
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        "vit_small_patch16_224.augreg_in21k_ft_in1k",
        "the smallest plain model that a CPU, or a GPU, keeps up with and that learned from ImageNet-21k",
    ),
)

SAME_NETWORK = (
    "drop.", "tokens.dynamic", "tokens.dynamic_pad", "position.resize", "img_size", "patch_size", "in_chans",
    "num_classes",
)  # fmt: skip
"""Settings of the model, or beginnings of them, under which published weights stay what they are or are carried over;
any other asks for another network, which begins from scratch."""


class RecipeChoice(NamedTuple):
    """Say what suits training up to a size of image and of set.

    Args:
        trained: whether training starts from trained weights.
        side: the model's image has at most this many pixels on its longer side.
        images: training images, at most.
        recipe: how to learn.
    """

    trained: bool
    side: float
    images: float
    recipe: str


RECIPE_CHOICES = (
    RecipeChoice(True, float("inf"), float("inf"), "finetune"),
    RecipeChoice(False, 80, 10_000, "small_few"),
    RecipeChoice(False, 80, float("inf"), "small"),
    RecipeChoice(False, float("inf"), float("inf"), "photos"),
)


class EpochChoice(NamedTuple):
    """Say how long to train on sets up to a size.

    Args:
        images: training images, at most.
        epochs: passes on a CPU.
        gpu_epochs: passes on a GPU.
        trained_epochs: passes from trained weights, on either.
    """

    images: float
    epochs: int
    gpu_epochs: int
    trained_epochs: int


EPOCH_CHOICES = (
    EpochChoice(500, 60, 100, 30),
    EpochChoice(2_000, 60, 100, 15),
    EpochChoice(10_000, 30, 100, 8),
    EpochChoice(70_000, 10, 60, 4),
    EpochChoice(300_000, 3, 60, 2),
    EpochChoice(float("inf"), 1, 90, 1),
)
