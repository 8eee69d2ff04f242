"""What the page of a run is made from: plain, frozen data. Fractions are 0 … 1 everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vitrail.report.pictures import Gallery, TrainingBatch


@dataclass(frozen=True)
class Headline:
    """Hold the one figure that a reader should take home.

    Args:
        split: which images were measured.
        top1: part of them classified rightly.
        interval: 95 % interval of `top1`, lowest and highest.
        n: how many images were measured.
        bad: how many more could not be used and do not count.
    """

    split: str
    top1: float
    interval: tuple[float, float]
    n: int
    bad: int = 0


@dataclass(frozen=True)
class KeyFigure:
    """Hold one figure of the row below the headline.

    Args:
        name: what it is called.
        value: the figure with its unit, as it is shown.
        meaning: half a sentence of explanation.
    """

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Epoch:
    """Hold the figures of one pass over the training split.

    Args:
        number: epoch number, from 1.
        loss: mean training loss.
        train_top1: accuracy on the training images while learning.
        val_top1: accuracy on the validation split.
        val_nll: negative log-likelihood on the validation split, nats an image.
    """

    number: int
    loss: float
    train_top1: float
    val_top1: float
    val_nll: float


@dataclass(frozen=True)
class ClassFigures:
    """Hold the figures of one class.

    Args:
        name: of the class.
        n: images of it.
        recall: part of them found; None without images.
        precision: part of what was taken for it that is right; None if nothing was.
        f1: harmonic mean of both; None without images.
        interval: 95 % interval of `recall`; None if unknown.
    """

    name: str
    n: int
    recall: float | None
    precision: float | None
    f1: float | None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bin:
    """Hold the images about which a model was about equally sure.

    Args:
        low: smallest confidence of the bin.
        high: largest confidence of the bin.
        n: images in it, 1 or more.
        confidence: mean confidence.
        accuracy: part of them classified rightly.
        interval: 95 % interval of `accuracy`.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Promise:
    """Hold an error rate that was promised, and what became of it on other images.

    Args:
        max_error: the rate promised, 0 … 1.
        threshold: probability from which on an answer is given.
        answered: how many images were answered.
        coverage: part of all images, 0 … 1.
        error: part of the answers that is wrong, 0 … 1.
        interval: its 95 % interval.
    """

    max_error: float
    threshold: float
    answered: int
    coverage: float
    error: float
    interval: tuple[float, float]

    @property
    def kept(self) -> bool:
        """Whether the rate promised is not below the interval."""
        return self.interval[0] <= self.max_error


@dataclass(frozen=True)
class Risk:
    """Hold the error rate of the surest answers, for every part of the images that is answered.

    Args:
        coverage: rising, 0 … 1.
        error: part of the answers that is wrong, at each coverage, 0 … 1.
        n: images.
        promises: rates that can be promised, the highest first.
    """

    coverage: tuple[float, ...]
    error: tuple[float, ...]
    n: int
    promises: tuple[Promise, ...] = ()


@dataclass(frozen=True)
class Reliability:
    """Hold how far the probabilities of a model can be trusted.

    Args:
        bins: bins of confidence that are not empty, lowest first.
        temperature: what gaps between logits were divided by; 1 for nothing.
        before: the bins as they were before calibration; empty if unknown.
        risk: what happens if only sure answers are given; None if unknown.
        exponent: what those gaps were then raised to; 1 for nothing.
    """

    bins: tuple[Bin, ...]
    temperature: float = 1.0
    before: tuple[Bin, ...] = ()
    risk: Risk | None = None
    exponent: float = 1.0

    @property
    def n(self) -> int:
        """How many images there are in all bins."""
        return sum(one.n for one in self.bins)

    @property
    def ece(self) -> float:
        """Mean over images of |confidence − accuracy| of their bin."""
        return _gap(self.bins)

    @property
    def ece_before(self) -> float | None:
        """The same before calibration; None if unknown."""
        return _gap(self.before) if self.before else None

    @property
    def confidence(self) -> float:
        """Mean confidence over images."""
        return sum(one.n * one.confidence for one in self.bins) / max(1, self.n)


def _gap(bins: tuple[Bin, ...]) -> float:
    return sum(one.n * abs(one.confidence - one.accuracy) for one in bins) / max(1, sum(one.n for one in bins))


@dataclass(frozen=True)
class Learning:
    """Hold how a training went.

    Args:
        epochs: figures of each epoch; empty if there was no training.
        best_epoch: number of the epoch whose weights were kept; None if unknown.
        batches: the beginning of the first ones.
        validation: images of the validation split; 0 if unknown.
    """

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int | None = None
    batches: tuple[TrainingBatch, ...] = ()
    validation: int = 0


@dataclass(frozen=True)
class Expense:
    """Hold what a run took.

    Args:
        parts: what was done → seconds, in the order of doing; together the whole time.
        figures: name → value with its unit, as it is shown.
    """

    parts: Mapping[str, float]
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """The whole time."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class BadImage:
    """Name an image that could not be used.

    Args:
        split: where it belongs.
        name: of the image.
        reason: why.
    """

    split: str
    name: str
    reason: str


@dataclass(frozen=True)
class ReportData:
    """Hold everything that the page of a run shows, in the order of the page.

    Args:
        title: what the run is called.
        headline: accuracy, its interval, and on what.
        figures: the row of key figures.
        learning: how training went.
        confusion: (classes, classes) counts, row = true class, column = predicted class.
        reliability: how far the probabilities can be trusted.
        classes: figures of each class, in the order of `confusion`.
        gallery: images of which the page speaks one by one.
        expense: time and cost; None if unknown.
        bad: images that could not be used.
        notes: what was decided on the user's behalf, a sentence each.
        settings: dotted key and value of everything that decided the run.
        facts: heading → name → value: the data, the model, with what it was made.
    """

    title: str
    headline: Headline
    figures: tuple[KeyFigure, ...]
    learning: Learning
    confusion: npt.NDArray[np.int64]
    reliability: Reliability
    classes: tuple[ClassFigures, ...]
    gallery: Gallery = field(default_factory=Gallery)
    expense: Expense | None = None
    bad: tuple[BadImage, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
