"""The Predictor: a trained model with everything it needs to answer for an image file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import ConfigError, ImageError
from vitrail.data.decode import ImageLike, ImageList
from vitrail.data.spec import ImageSpec
from vitrail.engines.build import build_engine
from vitrail.evaluation.metrics import softmax
from vitrail.jobs.device import choose_device
from vitrail.jobs.inference import BATCH_SIZE, stream_outputs
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.model_file import ModelRecord, load_model
from vitrail.weights.reference import Reference, model_path

if TYPE_CHECKING:
    from vitrail.jobs.explain import Explanation

Images = ImageLike | ImageList


@dataclass(frozen=True)
class Prediction:
    """Hold the answer for one image.

    Args:
        path: the image, as it was named; "" for images that have no name.
        label: the most probable class; None if the image could not be used.
        probability: its probability, 0 … 1; None likewise.
        top: the most probable classes with their probabilities, best first.
        error: why the image could not be used; None if it could.
    """

    path: str
    label: str | None
    probability: float | None
    top: tuple[tuple[str, float], ...]
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `predict --json` prints.

        Returns:
            Keys path, label, probability, top, error.
        """
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        return {
            "path": self.path, "label": self.label, "probability": self.probability, "top": top, "error": self.error
        }  # fmt: skip


class Predictor:
    """Answer for images: any path, encoded bytes, PIL image or uint8 array, of any size.

    Args:
        model: the Vision Transformer.
        record: classes, preprocessing and calibration.
        path: the model file.
        device: where to compute; None for the fastest there is.
    """

    def __init__(self, model: VisionTransformer, record: ModelRecord, path: Path, device: str | None = "cpu") -> None:
        self.model = model
        self.record = record
        self.path = path
        self.engine = build_engine("torch", model, device=str(choose_device(device)))

    @property
    def spec(self) -> ImageSpec:
        """The exact preprocessing."""
        return self.record.spec

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.record.classes

    def logits(self, images: Images) -> npt.NDArray[np.float32]:
        """Compute logits, before the temperature.

        Args:
            images: one image or several.

        Returns:
            (n, classes) float32.

        Raises:
            ImageError: if one cannot be used.
        """
        rows = []
        for _, outputs, bad in stream_outputs(self.engine, self.spec, _listed(images)):
            if bad:
                raise ImageError(bad[0][1])
            rows.append(outputs)
        return np.concatenate(rows)

    def predict(self, images: Images, top: int = 1) -> list[Prediction]:
        """Classify images.

        Args:
            images: one image or several.
            top: how many classes to name, best first, 1 or more.

        Returns:
            One answer for each image, in order; one that cannot be used has `error` set.

        Raises:
            ConfigError: if `top` is below 1.
        """
        return list(self.stream(_listed(images), top))

    def stream(self, images: ImageList, top: int = 1, batch_size: int = BATCH_SIZE) -> Iterator[Prediction]:
        """Classify images one batch after another, holding no more than two in memory.

        Args:
            images: what to classify.
            top: how many classes to name.
            batch_size: images at once.

        Yields:
            One answer for each image, in order.

        Raises:
            ConfigError: if `top` is below 1.
        """
        if top < 1:
            raise ConfigError(f"top = {top} is not allowed; allowed: 1 … {len(self.classes)}")
        for good, outputs, bad in stream_outputs(self.engine, self.spec, images, batch_size):
            answers = {number: Prediction(_name(images[number]), None, None, (), reason) for number, reason in bad}
            if good:
                probabilities = softmax(outputs / np.float32(self.record.temperature))
                order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
                for row, number in enumerate(good):
                    best = tuple((self.classes[one], float(probabilities[row, one])) for one in order[row])
                    answers[number] = Prediction(_name(images[number]), best[0][0], best[0][1], best)
            for number in sorted(answers):
                yield answers[number]

    def explain(self, image: ImageLike) -> Explanation:
        """Compute what the model looks at in an image.

        Args:
            image: of any size.

        Returns:
            Two maps on the grid of patches, `last` and `rollout`; the prediction; and the box of the image they cover.

        Raises:
            ImageError: if the image cannot be used.
            ConfigError: if the model has no attention.
        """
        from vitrail.jobs.explain import explain

        return explain(self, image)


def load(reference: Reference | Any, device: str | None = "cpu") -> Predictor:
    """Load a trained model with everything it needs.

    Args:
        reference: a run folder, a model file, what `fit` returned, or a Predictor, which is given back as it is.
        device: where to compute; None for the fastest there is.

    Returns:
        The Predictor.

    Raises:
        WeightsError: if there is no such model, or its file is damaged or of another kind.
    """
    if isinstance(reference, Predictor):
        return reference
    path = model_path(getattr(reference, "path", reference))
    model, record = load_model(path)
    return Predictor(model, record, path, device)


def _listed(images: Images) -> ImageList:
    if isinstance(images, list | tuple) or (isinstance(images, np.ndarray) and images.ndim == 4):
        return images
    return [images]  # type: ignore[list-item]


def _name(image: ImageLike) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else ""
