"""What `fit` chooses, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vitrail.core.errors import ConfigError, VitrailError
from vitrail.core.toml import read_toml, write_toml
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.spec import ImageSpec
from vitrail.jobs.choices import MODEL_CHOICES, RECIPE_CHOICES
from vitrail.jobs.plan import Plan, Request, choose_epochs, differences, make_plan
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.models.variants import VARIANTS
from vitrail.train.recipe import Recipe
from vitrail.train.recipes import RECIPES
from vitrail.weights.model_file import ModelRecord, save_model


def dataset(side: int, channels: int = 1, classes: int = 3):
    """Make random images in memory."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, side, side, channels), dtype=np.uint8)
    samples = Samples(pixels, np.arange(12) % classes, [str(number) for number in range(12)])
    return Dataset("random", tuple("abcdefgh"[:classes]), {"train": samples, "val": samples})


@pytest.mark.parametrize("row", MODEL_CHOICES, ids=lambda row: row.variant)
def test_every_choice_names_rows_of_tables(row):
    assert row.variant in VARIANTS
    assert row.gpu_variant in VARIANTS


def test_every_set_has_a_recipe():
    assert {row.recipe for row in RECIPE_CHOICES} <= set(RECIPES)
    assert (RECIPE_CHOICES[-1].side, RECIPE_CHOICES[-1].images) == (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("side", "images", "recipe"),
    [
        (8, 1_300, "small_few"),
        (28, 10_000, "small_few"),
        (28, 10_001, "small"),
        (96, 100, "photos"),
        (96, 10_001, "photos"),
    ],
)
def test_the_recipe_suits_the_images_and_their_number(side, images, recipe):
    few = dataset(side)
    samples = few.splits["train"].take(np.arange(images) % 12)
    plan, notes = make_plan(Request("random"), replace(few, splits={"train": samples}), "cpu")
    assert plan.recipe == RECIPES[recipe]
    assert any(note.startswith(f"recipe {recipe}: ") for note in notes)


@pytest.mark.parametrize("side", [8, 12, 13, 28, 32, 64, 200])
@pytest.mark.parametrize("channels", [1, 3])
def test_plans_fit_the_images(side, channels):
    plan, notes = make_plan(Request("random"), dataset(side, channels), "cpu")
    assert plan.model.num_classes == 3
    assert plan.model.in_chans == plan.spec.channels == channels
    assert plan.model.image_size == plan.spec.size
    assert len(notes) == 2 + (side > 80), "model, recipe, and why photographs start from scratch"


def test_plans_are_written_and_read_back(tmp_path):
    plan, _ = make_plan(Request("random", settings={"clip": "none", "mixup": 0.2}), dataset(28), "cpu")
    write_toml(tmp_path / "config.toml", plan, "a plan")
    assert read_toml(tmp_path / "config.toml", Plan) == plan


def test_settings_are_laid_over():
    plan, _ = make_plan(
        Request("random", "S/16", "photos", image_size=32, settings={"lr": 3e-4, "num_heads": 3}), dataset(8), "cpu"
    )
    assert plan.recipe.optimizer.lr == 3e-4
    assert plan.model.block.num_heads == 3
    assert plan.spec.size == (32, 32)
    assert plan.recipe.augment == RECIPES["photos"].augment


@pytest.mark.parametrize(
    ("request_fields", "words"),
    [
        ({"model": "S/7", "image_size": 60}, "img_size"),
        ({"model": "vit_smoll_patch16_224"}, "vit_small_patch16_224"),
        ({"recipe": "smal"}, "small"),
        ({"settings": {"num_classes": 9}}, "3 classes"),
        ({"settings": {"in_chans": 4}}, "in_chans"),
        ({"settings": {"spec.size": [64, 64]}}, "spec.size"),
        ({"settings": {"pool": "none"}}, "model.pool = 'none'"),
        ({"settings": {"spec.mode": "keep"}}, "spec.mode = 'keep'"),
        ({"settings": {"mode": "keep", "dynamic": True, "multiple": 3}}, "spec.multiple = 3"),
        ({"settings": {"learning_rat": 1}}, "learning_rat"),
        ({"epochs": 1, "minutes": 1}, "both"),
        ({"minutes": -1}, "greater than 0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_wrong_requests_are_refused(request_fields, words):
    with pytest.raises(VitrailError) as caught:
        make_plan(Request("random", **request_fields), dataset(8), "cpu")
    assert words in str(caught.value)


def test_aspects_are_kept_in_tiles_of_a_patch():
    settings = {"mode": "keep", "dynamic": True, "patch_size": 4}
    plan, _ = make_plan(Request("random", settings=settings), dataset(8), "cpu")
    assert (plan.spec.mode, plan.spec.multiple, plan.model.patch_size) == ("keep", 4, 4)
    plan, _ = make_plan(Request("random", settings={**settings, "dynamic_pad": True, "multiple": 1}), dataset(8), "cpu")
    assert plan.spec.multiple == 1
    plan, _ = make_plan(Request("random", settings={"dynamic": True}), dataset(8), "cpu")
    assert plan.spec.mode == "crop", "a model that takes any size is still shown what --image-size says"


@pytest.fixture
def weights(tmp_path):
    """Write a model file that takes three channels, of unequal mean and deviation."""
    config = ViTConfig.of(img_size=8, patch_size=4, embed_dim=16, depth=1, num_heads=2, num_classes=3)
    spec = ImageSpec((8, 8), (0.1, 0.2, 0.6), (0.2, 0.3, 0.4), crop_fraction=0.9)
    record = ModelRecord(config, ("a", "b", "c"), spec)
    save_model(tmp_path / "model.safetensors", VisionTransformer(config), record)
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize(
    ("images", "asked", "color", "mean"),
    [
        (3, None, "RGB", (0.1, 0.2, 0.6)),
        (1, None, "RGB", (0.1, 0.2, 0.6)),
        (3, 1, "L", (0.3,)),
        (1, 1, "L", (0.3,)),
        (5, None, "bands", None),
        (5, 5, "bands", None),
    ],
)
def test_weights_keep_their_channels_unless_others_are_wanted_or_images_differ(images, asked, color, mean, weights):
    request = Request("random", model=weights, settings={"in_chans": asked} if asked else None)
    plan, notes = make_plan(request, dataset(8, images), "cpu")
    assert plan.model.in_chans == plan.spec.channels == {"L": 1, "RGB": 3, "bands": 5}[color]
    assert plan.spec.color == color
    assert plan.spec.crop_fraction == 0.9
    if mean is None:
        assert any("5 channels: mean and std of each were measured" in note for note in notes)
        assert all(0.4 < value < 0.6 for value in plan.spec.mean)
    else:
        assert plan.spec.mean == mean


@pytest.mark.parametrize(("images", "asked"), [(5, 3), (3, 5), (1, 2)])
def test_channels_that_the_images_do_not_have_are_refused(images, asked, weights):
    for model in (weights, "vit_nano_conv_patch2_8"):
        with pytest.raises(ConfigError, match=f"in_chans = {asked}, but images have {images} channels"):
            make_plan(Request("random", model=model, settings={"in_chans": asked}), dataset(8, images), "cpu")


def test_grey_images_may_be_shown_as_colour():
    plan, _ = make_plan(Request("random", settings={"in_chans": 3}), dataset(8, 1), "cpu")
    assert plan.model.in_chans == plan.spec.channels == 3


def test_a_size_that_suits_the_patch_is_taken_with_any_patch():
    plan, _ = make_plan(Request("random", "S/15", image_size=45), dataset(8), "cpu")
    assert plan.model.grid == (3, 3)


def test_epochs_come_from_the_recipe_or_the_size():
    assert choose_epochs(Plan("x", recipe=Recipe(epochs=7)), 100, "cpu") == 7
    assert choose_epochs(Plan("x"), 1000, "cpu") > choose_epochs(Plan("x"), 10**6, "cpu") >= 1


def test_differences_name_what_changed():
    assert differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}) == ["a.c: 2 → 3"]
    assert differences({"a": 1}, {"a": 1}) == []


def test_a_recipe_asked_for_lays_size_and_dropout_over_the_model():
    plan, _ = make_plan(Request("random", "S/16", "paper_i1k"), dataset(8), "cpu")
    assert plan.model.drop.drop_rate == 0.1 and plan.model.image_size == plan.spec.size == (224, 224)
    settings = {"model.drop.drop_rate": 0.0}
    plan, _ = make_plan(Request("random", "S/16", "paper_i1k", image_size=32, settings=settings), dataset(8), "cpu")
    assert plan.model.drop.drop_rate == 0.0 and plan.spec.size == (32, 32)


def test_a_recipe_from_the_table_changes_nothing_in_the_model():
    for row in RECIPE_CHOICES:
        recipe = RECIPES[row.recipe]
        assert recipe.drop is None and recipe.image_size is None and not recipe.parts.new_head
