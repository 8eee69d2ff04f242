"""One small training among many that are compared: no folder, no page, only figures. What studies are made of."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from statistics import fmean
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from vitrail.core.errors import NonFiniteError
from vitrail.core.seeding import Stream, derived_seed
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.loader import TrainLoader
from vitrail.data.probe import probe_images
from vitrail.data.spec import ImageSpec
from vitrail.engines.torch_engine import TorchEngine
from vitrail.evaluation.calibration import negative_log_likelihood
from vitrail.evaluation.least_squares import draw_shots, few_shot
from vitrail.jobs.architecture import find_architecture
from vitrail.jobs.inference import compute_outputs
from vitrail.models.config import ViTConfig
from vitrail.models.features import Features
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.train.loop import StepDone, TrainState, train_model
from vitrail.train.objective import Classification, bias_heads
from vitrail.train.recipe import Recipe
from vitrail.weights.start import take_over

SHOTS, DRAWS = 5, 3
"""Labelled images of each class for the few-shot accuracy, and how many draws of them it is the mean of."""
BATCH, MEASURED = 256, 256
"""Images that are measured at once, and how many are enough to know how long measuring takes."""


@dataclass(frozen=True)
class Trial:
    """Hold what decides a training.

    Args:
        dataset: with the splits train, val and test.
        model: the architecture; classes and channels are taken from the data.
        recipe: how it learns.
        steps: optimizer steps.
        seed: of the weights, the order of the images and everything else that is random.
        start: a trained model whose weights it begins with; None for fresh ones.
        validate: whether the accuracy on validation images is measured too, for studies that choose something by it.
        device: where.
    """

    dataset: Dataset
    model: ViTConfig
    recipe: Recipe
    steps: int
    seed: int = 0
    start: VisionTransformer | None = None
    validate: bool = False
    device: torch.device = torch.device("cpu")

    def fitted(self) -> tuple[ViTConfig, ImageSpec]:
        """Fit the architecture to the data.

        Returns:
            The model with the data's classes and channels, and what it is shown.
        """
        probe = probe_images(self.dataset.splits["train"])
        fields = {"num_classes": len(self.dataset.classes)} | ({"drop": self.recipe.drop} if self.recipe.drop else {})
        found = find_architecture(self.model, None, fields, probe)
        return found.config, found.spec


@dataclass(frozen=True)
class Outcome:
    """Hold what a trial gave.

    Args:
        model: the model that would be kept: of the running mean if the recipe has one. The last, not the best: no
            image was used to choose it.
        figures: top1 and nll on test, few_shot (0 … 1), val_top1 if it was asked for; first_loss and loss, of the first
            step and the mean of the last tenth; train_seconds, step_seconds, seconds; diverged (1 if numbers stopped
            being finite; the weights are then those before).
    """

    model: VisionTransformer
    figures: dict[str, float]


class _Begun:
    """Hold a trial before its first step."""

    def __init__(self, trial: Trial) -> None:
        dataset, recipe = trial.dataset, trial.recipe
        config, self.spec = trial.fitted()
        train, classes = dataset.splits["train"], len(dataset.classes)
        self.loader = TrainLoader(
            train,
            self.spec,
            recipe.augment,
            recipe.mix,
            dataset.traits,
            classes,
            recipe.batch_size,
            trial.seed,
            order=recipe.order,
        )
        torch.manual_seed(derived_seed(trial.seed, Stream.INIT))
        model = VisionTransformer(config)
        bias_heads(model, recipe.objective.head_bias)
        if trial.start is not None:
            model.load_state_dict(take_over(model, trial.start, same_classes=not recipe.parts.new_head).state)
        counts = np.bincount(train.labels, minlength=classes)
        objective = Classification(recipe.objective, counts.tolist(), trial.device)
        self.state = TrainState.start(model.to(trial.device), recipe)
        self.events = train_model(self.state, self.loader, recipe, trial.steps, trial.device, objective)

    def steps(self) -> Iterator[StepDone]:
        """Take the steps."""
        return (event for event in self.events if isinstance(event, StepDone))

    @property
    def kept(self) -> VisionTransformer:
        """The model to measure."""
        return cast(VisionTransformer, self.state.evaluated)


def run_trial(trial: Trial) -> Outcome:
    """Train, and measure.

    Args:
        trial: what to do. Equal trials give equal figures on one machine, times aside.

    Returns:
        The trained model and its figures.

    Raises:
        ConfigError: if model, recipe and data do not fit together.
        DataError: if not one image can be used.
    """
    clock = time.perf_counter()
    begun, diverged = _Begun(trial), False
    losses: list[float] = []
    before = time.perf_counter()
    try:
        losses.extend(event.loss for event in begun.steps())
    except NonFiniteError:
        diverged = True
    trained = time.perf_counter() - before
    measured = measure_model(begun.kept, trial.dataset, begun.spec, trial.validate, trial.device)
    figures = {
        **measured,
        "first_loss": losses[0] if losses else math.nan,
        "loss": fmean(losses[-max(1, trial.steps // 10) :]) if losses else math.nan,
        "train_seconds": trained,
        "step_seconds": trained / max(1, begun.state.step),
        "seconds": time.perf_counter() - clock,
        "diverged": float(diverged),
    }
    return Outcome(begun.kept, figures)


@dataclass(frozen=True)
class Pace:
    """Hold how long the parts of a trial take.

    Args:
        step: seconds a step, the median.
        around: seconds for reading the images and measuring the model.
    """

    step: float
    around: float


def measure_pace(trial: Trial, seconds: float, most: int = 50) -> Pace:
    """Measure how long a trial would take.

    Args:
        trial: what would be done; its steps decide nothing.
        seconds: about how long to take steps.
        most: steps, at most.

    Returns:
        Its pace.

    Raises:
        ConfigError: if model, recipe and data do not fit together.
        DataError: if not one image can be used.
    """
    clock = time.perf_counter()
    begun, times = _Begun(trial), []
    around = time.perf_counter() - clock
    for event in begun.steps():
        times.append(event.seconds)
        if len(times) >= 3 and (sum(times) > seconds or len(times) >= most):
            break
    test = trial.dataset.splits["test"]
    few = test.take(np.arange(min(MEASURED, len(test))))
    part = replace(trial.dataset, splits={**trial.dataset.splits, "test": few, "val": few})
    clock = time.perf_counter()
    measure_model(begun.kept, part, begun.spec, trial.validate, trial.device)
    return Pace(float(np.median(times[1:] or times)), around + (time.perf_counter() - clock) * len(test) / len(few))


def measure_model(
    model: VisionTransformer,
    dataset: Dataset,
    spec: ImageSpec,
    validate: bool = False,
    device: torch.device | str = "cpu",
) -> dict[str, float]:
    """Measure a classifier and its features.

    Args:
        model: trained on these data.
        dataset: with the splits train, val and test.
        spec: what the model is shown.
        validate: whether validation images are measured too.
        device: where.

    Returns:
        top1 and nll on test; few_shot: 5 training images a class, mean of 3 draws; val_top1.
    """
    engine = TorchEngine(Features(model, "pre_logits"), device)

    def features(samples: Samples) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        outputs = compute_outputs(engine, spec, samples, BATCH)
        return outputs.logits, outputs.labels

    def answers(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            return model.head(torch.from_numpy(x).to(device)).float().cpu().numpy()

    x, y = features(dataset.splits["test"])
    logits, figures = answers(x), {}
    if validate:
        x_val, y_val = features(dataset.splits["val"])
        figures["val_top1"] = float((answers(x_val).argmax(axis=1) == y_val).mean())
    train, classes = dataset.splits["train"], len(dataset.classes)
    shots = min(SHOTS, int(np.bincount(train.labels, minlength=classes).min()))
    accuracies = []
    for draw in range(DRAWS if shots else 0):
        chosen = draw_shots(train.labels, classes, shots, draw, dataset.classes)
        accuracies.append(few_shot(*features(train.take(chosen)), x, y, shots, draw))
    return {
        "top1": float((logits.argmax(axis=1) == y).mean()),
        "nll": negative_log_likelihood(logits, y),
        "few_shot": fmean(accuracies) if accuracies else math.nan,
        **figures,
    }
