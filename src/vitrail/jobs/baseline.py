"""What a pretrained network is worth before it is tuned: the measure that tuning has to beat."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from vitrail.data.dataset import Samples
from vitrail.data.split import stratified_split
from vitrail.evaluation.metrics import SCORES
from vitrail.evaluation.probes import CHOSEN, Choice
from vitrail.jobs.events import Note
from vitrail.jobs.frozen_features import FrozenFeatures
from vitrail.jobs.plan import Plan
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.probe_head import begin_head, wants_probe_head
from vitrail.jobs.training import Training
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.model_file import ModelRecord

MOST_IMAGES, GPU_MOST_IMAGES = 5_000, 50_000
"""Training images that are looked at: enough to know what the features are worth, long before an epoch ends."""
MOST_PRODUCTS = 5e8
"""images · features · classes beyond which logistic regression is left out: it would take minutes."""
FEW_ERRORS, FEW_IMAGES = 3, 10


@dataclass(frozen=True)
class Baseline:
    """Hold what probes of the frozen features reach, on validation images.

    Args:
        found: probe → how good it is on the validation images; one at least.
        n: validation images.
        per_class: training images a class.
        seconds: time it took.
        command: what measures the features, but for the probe; empty if unknown.
        figure: row of `SCORES` that is compared: the one by which training chooses its best weights.
        tuned: that of the tuned model on the same images; None before.
    """

    found: Mapping[str, Choice]
    n: int
    per_class: float
    seconds: float
    command: str = ""
    figure: str = "top1"
    tuned: float | None = None

    @property
    def accuracies(self) -> dict[str, float]:
        """Probe → accuracy on the validation images, 0 … 1, balanced if `figure` is."""
        return {name: choice.score for name, choice in self.found.items()}

    @property
    def best(self) -> str:
        """The probe that is best; of equals the first."""
        return max(self.accuracies, key=self.accuracies.__getitem__)

    @property
    def words(self) -> str:
        """What is compared, in words."""
        return "accuracy" if self.figure == "top1" else self.figure.replace("_", " ")

    def prospects(self) -> str:
        """Say whether tuning is likely to pay: a rule of thumb.

        Returns:
            A clause.
        """
        wrong = self.found[self.best].wrong
        if wrong < FEW_ERRORS:
            return f"tuning can hardly pay: {wrong} of {self.n:,} validation images are wrong, too few to see a gain"
        if self.per_class < FEW_IMAGES:
            return f"tuning may not pay: there are fewer than {FEW_IMAGES} training images a class"
        return f"tuning is likely to pay: {wrong:,} of {self.n:,} validation images are wrong"

    def verdict(self) -> Note:
        """Say whether tuning paid, once it is done.

        Returns:
            A sentence; a warning if the tuned model is worse.
        """
        choice, after = self.found[self.best], self.tuned or 0.0
        before = choice.score
        figures = f"{100 * after:.2f} %, {100 * before:.2f} % with frozen features ({self.best})"
        figures = f"validation {self.words} {figures}"
        if after < before:
            advice = f"`{self.command} --probe {self.best}` measures those; try a smaller lr, or more epochs"
            return Note(f"tuning did not pay: {figures}; {advice}", True)
        chance = after - before <= choice.error
        return Note(f"tuning {'changed no more than chance may' if chance else 'paid'}: {figures}")

    def to_json(self) -> dict[str, Any]:
        """Turn into plain data.

        Returns:
            figure, accuracies, best, n, tuned, seconds.
        """
        names = ("figure", "accuracies", "best", "n", "tuned", "seconds")
        return {name: getattr(self, name) for name in names}


def measure_baseline(training: Training) -> Baseline | None:
    """Probe the features of a network that is about to be tuned, and say what they are worth.

    Args:
        training: not yet begun; its model has the weights that it starts from.

    Returns:
        The baseline; None where no image can be used, which training will say. A head that is to begin as a probe
        does so afterwards.

    Raises:
        DataError: if the training images that can be used are of one class.
    """
    clock = time.perf_counter()
    plan, dataset, device = training.plan, training.dataset, training.device
    model = cast("VisionTransformer", training.state.evaluated)
    record = ModelRecord(plan.model, dataset.classes, plan.spec)
    predictor = Predictor(model, record, training.folder.path, str(device))
    features = FrozenFeatures(predictor, listener=training.tell)
    most = MOST_IMAGES if device.type == "cpu" else GPU_MOST_IMAGES
    train = features.of(_some(dataset.splits["train"], most, plan.seed)).labelled
    val = features.of(dataset.splits["val"]).labelled
    if not len(train.y) or not len(val.y):
        return None
    computed = time.perf_counter() - clock
    figure = "balanced_accuracy" if plan.recipe.balances else "top1"
    found = {
        name: probe.choose(train, val, dataset.classes, SCORES[figure])
        for name, probe in CHOSEN.items()
        if name != "linear" or train.x.size * len(dataset.classes) <= MOST_PRODUCTS
    }
    per_class = len(dataset.splits["train"]) / len(dataset.classes)
    baseline = Baseline(found, len(val.y), per_class, time.perf_counter() - clock, _command(plan), figure)
    figures = ", ".join(f"{name} {100 * choice.score:.2f} %" for name, choice in found.items())
    told = f"{baseline.words} on {baseline.n:,} validation images, learned from {len(train.y):,}"
    times = f"{computed:.1f} s for {features.computed:,} features, {baseline.seconds - computed:.1f} s for the probes"
    training.tell(Note(f"frozen features, before any tuning: {figures} {told} ({times})"))
    training.tell(Note(baseline.prospects()))
    if "linear" in found and wants_probe_head(plan, training.fresh):
        begin_head(training.state, train, len(dataset.classes), found["linear"].value)
        training.tell(Note("the head begins as the linear probe of these features"))
    return baseline


def _command(plan: Plan) -> str:
    """Write the command that shows the same images to the same weights at the same size."""
    variant = ["--variant", plan.variant] if plan.variant else []
    size = ["--dynamic"] if plan.spec.mode == "keep" else ["--image-size", str(plan.spec.size[0])]
    return shlex.join(["vitrail", "evaluate", plan.start, plan.data, *variant, *size])


def _some(samples: Samples, most: int, seed: int) -> Samples:
    """Take no more samples than that, of each class in proportion; which, is decided by their names and the seed."""
    if len(samples) <= most:
        return samples
    _, taken = stratified_split(samples.labels, samples.names, most / len(samples), seed, "baseline")
    return samples.take(taken)
