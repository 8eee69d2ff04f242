"""Show what a model looks at: attention of the last block and rollout, over the image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from vitrail.analysis.maps import attention_maps, require_attention
from vitrail.core.errors import ImageError
from vitrail.data.bands import Bands, Decoded
from vitrail.data.dataset import Dataset
from vitrail.data.decode import ImageLike, decode
from vitrail.data.picture import picture
from vitrail.evaluation.metrics import softmax
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.jobs.predict import expand_paths
from vitrail.jobs.prediction import Prediction
from vitrail.jobs.predictor import Predictor, load
from vitrail.weights.reference import Reference

Map = npt.NDArray[np.float64]
TOP = 3
"""Classes named beside a picture."""


@dataclass(frozen=True)
class Explanation:
    """Hold what a model looks at in one image.

    Args:
        prediction: its answer; without label and probability for a model that has no classes.
        last: (rows, columns) float64, share of attention that each patch gets in the last block, mean over heads.
        rollout: (rows, columns) float64, the same by attention rollout over all blocks.
        box: left, top, right, bottom of the part that the model saw, which the maps cover, in pixels of the image.
        size: height and width of the image, upright, in pixels.
        query: who looks, in words: the class token; or, for models that pool the patches, all these on average.
    """

    prediction: Prediction
    last: Map
    rollout: Map
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    query: str

    def to_json(self) -> dict[str, Any]:
        """Turn into plain data.

        Returns:
            Keys top, grid, size, box, query, last, rollout.
        """
        return {
            "top": self.prediction.to_json()["top"],
            "grid": list(self.last.shape),
            "size": list(self.size),
            "box": list(self.box),
            "query": self.query,
            "last": np.round(self.last, 6).tolist(),
            "rollout": np.round(self.rollout, 6).tolist(),
        }


@dataclass(frozen=True)
class Explained:
    """Hold what became of one image.

    Args:
        path: the image, as it was named.
        explanation: what the model looks at; None if the image could not be used.
        files: pictures written.
        error: why the image could not be used; None if it could.
    """

    path: str
    explanation: Explanation | None
    files: tuple[Path, ...] = ()
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `explain --json` prints.

        Returns:
            Keys path, label, probability, files, error.
        """
        answer = None if self.explanation is None else self.explanation.prediction
        return {
            "path": self.path,
            "label": None if answer is None else answer.label,
            "probability": None if answer is None else answer.probability,
            "files": [str(file) for file in self.files],
            "error": self.error,
        }

    def record(self) -> dict[str, Any]:
        """Turn into the entry of `explanations.json`: all numbers, files by their names in the folder."""
        numbers = {} if self.explanation is None else self.explanation.to_json()
        return {**self.to_json(), "files": [file.name for file in self.files], **numbers}


@dataclass(frozen=True)
class Subject:
    """Hold an image to be explained.

    Args:
        name: what to call it.
        image: where it is.
        truth: its true class, to be said in the picture; None if it is not known.
    """

    name: str
    image: ImageLike
    truth: str | None = None


def explain(predictor: Predictor, image: ImageLike, top: int = TOP) -> Explanation:
    """Compute what a model looks at in an image.

    Args:
        predictor: the trained model.
        image: path, encoded bytes, PIL image or array, of any size.
        top: how many classes the prediction names.

    Returns:
        Two maps, the prediction, and where in the image the maps belong.

    Raises:
        ImageError: if the image cannot be used.
        ConfigError: if the model has no attention.
    """
    name = os.fspath(image) if isinstance(image, str | os.PathLike) else ""
    return _explain(predictor, decode(image), name, top)


def explain_paths(
    reference: Reference | Any,
    paths: Sequence[str],
    out: Reference,
    overwrite: bool = False,
    device: str | None = "cpu",
) -> Iterator[Explained]:
    """Draw what a model looks at in images named by path.

    Args:
        reference: as for `predict_paths`.
        paths: files, folders (all images below), or glob patterns.
        out: folder for one picture an image and `explanations.json`.
        overwrite: replace the explanations in `out`.
        device: where to compute; None or "auto" for the fastest there is.

    Returns:
        What became of each image, in order; consumed as a stream, `explanations.json` is complete when it ends.

    Raises:
        WeightsError: if the model cannot be loaded.
        DataError: if a path is missing or holds no image.
        ConfigError: if the model has no attention, or has classes and yet no answer for an image, or if `out` is in use
            or cannot be written.
        StorageError: if writing fails midway.
    """
    files = expand_paths(paths)
    predictor = load(reference, device)
    require_attention(predictor.model)
    if predictor.classes:
        predictor.require_classifier()
    folder = ExplanationFolder.prepare(Path(out), files, overwrite)
    return draw_explanations(predictor, (Subject(file, file) for file in files), folder)


def draw_explanations(
    predictor: Predictor, subjects: Iterable[Subject], folder: ExplanationFolder
) -> Iterator[Explained]:
    """Draw what a model looks at, one image after another.

    Args:
        predictor: the trained model.
        subjects: the images.
        folder: where the pictures go.

    Yields:
        What became of each image. The index is written at the end, or when the stream is given up.

    Raises:
        StorageError: if the disk refuses.
    """
    records = []
    try:
        for subject in subjects:
            try:
                explanation, content = _draw(predictor, subject)
                explained = Explained(subject.name, explanation, (folder.write_picture(subject.name, content),))
            except ImageError as error:
                explained = Explained(subject.name, None, error=error.message)
            records.append(explained.record())
            yield explained
    finally:
        folder.write_index(records)


def telling_images(evaluation: Evaluation, dataset: Dataset) -> Iterator[Subject]:
    """Choose two images that say something about a model.

    Args:
        evaluation: of a split.
        dataset: where the split comes from.

    Yields:
        The right answer and the wrong answer of which it was surest; if there are only right ones, or only wrong ones,
        the two surest of these.
    """
    outputs, samples = evaluation.outputs, dataset.splits[evaluation.split]
    best = outputs.logits.argmax(axis=1)
    surest = np.argsort(-softmax(outputs.logits).max(axis=1), kind="stable")
    right = best[surest] == outputs.labels[surest]
    for row in [*surest[right][:1], *surest[~right][:1], *surest[right][1:2], *surest[~right][1:2]][:2]:
        number = int(outputs.indices[row])
        truth = dataset.classes[int(outputs.labels[row])]
        yield Subject(evaluation.names[number], samples.image(number), truth)


def draw_pictures(predictor: Predictor, subjects: Iterable[Subject]) -> Iterator[bytes]:
    """Draw what a model looks at, for a page.

    Args:
        predictor: the trained model.
        subjects: the images.

    Yields:
        One encoded PNG an image; one that cannot be used, or is gone by now, is passed over.
    """
    for subject in subjects:
        with suppress(ImageError):
            yield _draw(predictor, subject)[1]


def _draw(predictor: Predictor, subject: Subject) -> tuple[Explanation, bytes]:
    from vitrail.report.explanation import Look, draw_look

    image = decode(subject.image)
    explanation = _explain(predictor, image, subject.name, TOP)
    maps = {"last block": explanation.last, "rollout": explanation.rollout}
    answers = explanation.prediction.top
    look = Look(picture(image), explanation.box, maps, answers, explanation.query, subject.truth)
    return explanation, draw_look(look)


def _explain(predictor: Predictor, image: Decoded, name: str, top: int) -> Explanation:
    prediction = Prediction(name, None, None, ())
    if predictor.classes:
        (prediction,) = predictor.predict([_as_array(image)], top)
    if prediction.error is not None:
        raise ImageError(f"{name}: {prediction.error}" if name else prediction.error)
    spec, model = predictor.spec, predictor.model
    batch = torch.from_numpy(spec.normalise(spec.pixels(image)[None]))
    maps = attention_maps(model, batch.to(next(model.parameters()).device))
    return Explanation(
        prediction=replace(prediction, path=name),
        last=maps.last[0].numpy(),
        rollout=maps.rollout[0].numpy(),
        box=spec.seen(image.width, image.height),
        size=(image.height, image.width),
        query=maps.query,
    )


def _as_array(image: Decoded) -> npt.NDArray[np.uint8]:
    """Give the pixels of a decoded image, which decode to the same image again."""
    if isinstance(image, Bands):
        return np.stack([np.asarray(plane) for plane in image.planes], axis=-1)
    return np.asarray(image)
