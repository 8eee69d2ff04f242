import math

import pytest
import torch

from vitrail.core.errors import DataError
from vitrail.data.sources import open_dataset
from vitrail.jobs.trial import Trial, measure_pace, run_trial
from vitrail.models.config import ViTConfig
from vitrail.train.recipe import OptimizerConfig, PartsConfig, Recipe

MODEL = ViTConfig(img_size=8, patch_size=2, embed_dim=32, depth=1, num_heads=2, mlp_ratio=2.0)
RECIPE = Recipe(optimizer=OptimizerConfig(lr=6e-3))
TIMES = ("train_seconds", "step_seconds", "seconds")


@pytest.fixture(scope="module")
def digits():
    return open_dataset("digits")


@pytest.fixture(scope="module")
def outcome(digits):
    return run_trial(Trial(digits, MODEL, RECIPE, 90, validate=True))


def test_a_trial_learns(outcome):
    figures = outcome.figures
    assert figures["top1"] > 0.5
    assert abs(figures["top1"] - figures["val_top1"]) < 0.2
    assert figures["few_shot"] > 0.3
    assert figures["loss"] < figures["first_loss"]
    assert figures["diverged"] == 0
    assert outcome.model.config.num_classes == 10


def test_a_head_of_zeros_begins_with_the_log_of_the_number_of_classes(outcome):
    assert outcome.figures["first_loss"] == pytest.approx(math.log(10), abs=1e-6)


def test_equal_trials_give_equal_figures(digits, outcome):
    again = run_trial(Trial(digits, MODEL, RECIPE, 90, validate=True)).figures
    assert {name: value for name, value in again.items() if name not in TIMES} == {
        name: value for name, value in outcome.figures.items() if name not in TIMES
    }
    other = run_trial(Trial(digits, MODEL, RECIPE, 90, seed=1)).figures
    assert other["nll"] != again["nll"]


def test_the_accuracy_is_that_of_the_model_that_is_given(digits, outcome):
    config, spec = Trial(digits, MODEL, RECIPE, 90).fitted()
    test = digits.splits["test"]
    assert config == outcome.model.config
    images = torch.from_numpy(spec.normalise(test.images))
    with torch.inference_mode():
        right = outcome.model.eval()(images).argmax(dim=1).numpy() == test.labels
    assert outcome.figures["top1"] == right.mean()


def test_a_trial_may_begin_with_another(digits, outcome):
    kept = Trial(digits, MODEL, RECIPE, 1, start=outcome.model)
    assert run_trial(kept).figures["first_loss"] < 2
    fresh = Recipe(optimizer=RECIPE.optimizer, parts=PartsConfig(new_head=True))
    begun = run_trial(Trial(digits, MODEL, fresh, 1, start=outcome.model))
    assert begun.figures["first_loss"] == pytest.approx(math.log(10), abs=1e-6)
    assert begun.figures["few_shot"] == pytest.approx(outcome.figures["few_shot"], abs=0.05)


def test_a_trial_that_diverges_is_measured_with_the_weights_before(digits):
    wild = Recipe(optimizer=OptimizerConfig(kind="sgd", lr=1e12, clip=None))
    figures = run_trial(Trial(digits, MODEL, wild, 40)).figures
    assert figures["diverged"] == 1
    assert 0 <= figures["top1"] < 0.5


def test_the_pace_is_measured(digits):
    pace = measure_pace(Trial(digits, MODEL, RECIPE, 10**6), seconds=0.05, most=5)
    assert 0 < pace.step < 5
    assert 0 < pace.around < 30


def test_what_cannot_be_read_is_said(digits, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError):
        run_trial(Trial(open_dataset(tmp_path), MODEL, RECIPE, 1))
