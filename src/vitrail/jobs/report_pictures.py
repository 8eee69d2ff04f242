"""The pictures of the page of a run: what training saw, doubtful labels, and the surest mistakes."""

from __future__ import annotations

import copy
import io
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from vitrail.core.errors import ImageError
from vitrail.data.dataset import Dataset, Samples
from vitrail.data.decode import decode
from vitrail.data.loader import Batch, TrainLoader
from vitrail.data.picture import picture, picture_of_pixels
from vitrail.data.spec import ImageSpec
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.explain import draw_pictures, telling_images
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.suspects import SuspectLabel
from vitrail.jobs.thumbnail import encode

if TYPE_CHECKING:
    from vitrail.report.pictures import Mistake, Picture, Suspect, TrainingBatch

MAX_MISTAKES = MAX_SUSPECTS = 24
MAX_BATCHES = 3
PICTURES_A_BATCH = 12
MISTAKE_SIDE, TRAINING_SIDE = 160, 112
"""Pictures are shown at most this many pixels wide and high."""


def suspect_pictures(
    labels: Iterable[SuspectLabel], dataset: Dataset, limit: int = MAX_SUSPECTS
) -> Iterator[tuple[SuspectLabel, Suspect]]:
    """Show the images whose labels are likely wrong.

    Args:
        labels: in the order to show them.
        dataset: where they come from.
        limit: how many to give.

    Yields:
        Each with a small picture; an image that is gone by now is passed over.
    """
    from vitrail.report.pictures import Suspect

    for one in labels:
        if limit <= 0:
            break
        shown = _shown(dataset.splits[one.split], one.number)
        if shown:
            limit -= 1
            yield (
                one,
                Suspect(one.path, one.split, one.label, one.suggested, one.probability, one.label_probability, shown),
            )


def surest_mistakes(
    evaluation: Evaluation,
    dataset: Dataset,
    probabilities: npt.NDArray[np.float64],
    limit: int = MAX_MISTAKES,
    passed: Container[int] = (),
) -> Iterator[Mistake]:
    """Find the wrong answers of which a model was surest.

    Args:
        evaluation: of a split.
        dataset: where the split comes from.
        probabilities: (good, classes), in the order of `evaluation.outputs`.
        limit: how many to give.
        passed: numbers of images to pass over.

    Yields:
        Mistakes with a small picture each, the surest first; an image that is gone by now is passed over.
    """
    from vitrail.report.pictures import Mistake

    outputs, samples = evaluation.outputs, dataset.splits[evaluation.split]
    best = outputs.logits.argmax(axis=1)
    confidence = probabilities[np.arange(len(best)), best]
    wrong = np.flatnonzero(best != outputs.labels)
    for row in wrong[np.argsort(-confidence[wrong], kind="stable")].tolist():
        if limit <= 0:
            break
        number = int(outputs.indices[row])
        shown = None if number in passed else _shown(samples, number)
        if shown:
            limit -= 1
            label, predicted = (evaluation.classes[int(one[row])] for one in (outputs.labels, best))
            yield Mistake(evaluation.names[number], label, predicted, float(confidence[row]), shown)


def _shown(samples: Samples, number: int) -> Picture | None:
    """Give a small picture of an image, none if it is gone by now."""
    try:
        return encode(picture(decode(samples.image(number))), MISTAKE_SIDE)
    except ImageError:
        return None


def looks(predictor: Predictor, evaluation: Evaluation, dataset: Dataset) -> Iterator[Picture]:
    """Draw what a model looks at in two images.

    Args:
        predictor: the trained model.
        evaluation: of a split.
        dataset: where the split comes from.

    Yields:
        Pictures; none if the model has no attention.
    """
    from vitrail.report.pictures import Picture

    if predictor.model.config.depth:
        for content in draw_pictures(predictor, telling_images(evaluation, dataset)):
            yield Picture(content, Image.open(io.BytesIO(content)).size)


def first_batches(
    loader: TrainLoader, device: torch.device | str = "cpu", count: int = MAX_BATCHES
) -> tuple[Batch, ...]:
    """Give the first batches of training once more: they are a function of the seed, epoch and step.

    Args:
        loader: of the training.
        device: where it trained.
        count: how many.

    Returns:
        The batches of epoch 0, the very tensors that the network learned from first; fewer if the epoch is shorter.
    """
    alone = copy.copy(loader)
    alone.workers = 0  # decode these batches and no other
    return tuple(islice(alone.epoch(0, device=device), count))


def training_batches(
    batches: Iterable[Batch], spec: ImageSpec, classes: Sequence[str], limit: int = PICTURES_A_BATCH
) -> Iterator[TrainingBatch]:
    """Turn batches into pictures with their labels.

    Args:
        batches: as the network saw them, from the first step on.
        spec: whose normalisation is undone.
        classes: names of the classes.
        limit: images of each batch to show.

    Yields:
        The first images of each batch.
    """
    from vitrail.report.pictures import TrainingBatch, TrainingPicture

    for step, batch in enumerate(batches, start=1):
        pixels = plain_pixels(batch.images[:limit], spec)
        targets = batch.targets[:limit].cpu().numpy()
        pictures = [
            TrainingPicture(encode(picture_of_pixels(image), TRAINING_SIDE), weighed_labels(target, classes))
            for image, target in zip(pixels, targets, strict=True)
        ]
        yield TrainingBatch(step, len(batch.images), tuple(pictures))


def plain_pixels(images: Tensor, spec: ImageSpec) -> npt.NDArray[np.uint8]:
    """Undo the normalisation of what a network sees.

    Args:
        images: (batch, channels, height, width) float.
        spec: its mean and deviation.

    Returns:
        (batch, height, width, channels) uint8.
    """
    values = images.detach().cpu().double().permute(0, 2, 3, 1).numpy() * np.asarray(spec.std) + np.asarray(spec.mean)
    return np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8)


def weighed_labels(target: npt.NDArray[np.float32], classes: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Name the classes that a label is made of.

    Args:
        target: (classes,) probabilities; what smoothing gave to every class is no class of its own.
        classes: names of the classes.

    Returns:
        Class and weight, the heaviest first, at most two: no mixing joins more images.
    """
    order = np.argsort(-target, kind="stable")[:2]
    least = float(target.min())
    kept = [number for place, number in enumerate(order.tolist()) if place == 0 or target[number] > least + 1e-3]
    return tuple((classes[number], float(target[number])) for number in kept)
