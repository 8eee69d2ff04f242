"""Show what a model looks at: maps of one method or several, over the image."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from vitrail.analysis.methods import METHODS, Question
from vitrail.core.errors import ImageError
from vitrail.core.table import Table
from vitrail.data.bands import Bands, Decoded
from vitrail.data.dataset import Dataset
from vitrail.data.decode import ImageLike, decode
from vitrail.data.picture import picture
from vitrail.evaluation.metrics import softmax
from vitrail.jobs.device import choose_batch_size, thread_limit
from vitrail.jobs.evaluate import Evaluation
from vitrail.jobs.explanation import Explained, Explanation, NamedMap
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.jobs.explanation_tables import curves_table, maps_table
from vitrail.jobs.faithful import measure
from vitrail.jobs.inquiry import USUAL, Inquiry
from vitrail.jobs.predict import expand_paths
from vitrail.jobs.prediction import Prediction
from vitrail.jobs.predictor import Predictor, load
from vitrail.weights.reference import MODEL_NAME, Reference

if TYPE_CHECKING:
    from vitrail.report.explanation import Look

TOP = 3
"""Classes named beside a picture."""


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


def explain(predictor: Predictor, image: ImageLike, inquiry: Inquiry = USUAL, top: int = TOP) -> Explanation:
    """Compute what a model looks at in an image.

    Args:
        predictor: the trained model.
        image: path, encoded bytes, PIL image or array, of any size.
        inquiry: what is asked.
        top: how many classes the prediction names.

    Returns:
        The maps, the prediction, and where in the image the maps belong.

    Raises:
        ImageError: if the image cannot be used.
        ConfigError: if the model has no attention, or cannot answer what is asked.
    """
    name = os.fspath(image) if isinstance(image, str | os.PathLike) else ""
    return _explain(predictor, decode(image), name, inquiry.settled(predictor), top)


def explain_paths(
    reference: Reference | Any,
    paths: Sequence[str],
    out: Reference,
    overwrite: bool = False,
    device: str | None = "cpu",
    inquiry: Inquiry = USUAL,
) -> Iterator[Explained]:
    """Draw what a model looks at in images named by path.

    Args:
        reference: as for `predict_paths`.
        paths: files, folders (all images below), or glob patterns.
        out: folder for one picture an image, `explanations.html`, and the numbers.
        overwrite: replace the explanations in `out`.
        device: where to compute; None or "auto" for the fastest there is.
        inquiry: what is asked about each.

    Returns:
        What became of each image, in order; consumed as a stream, what is about all images is complete when it ends.

    Raises:
        WeightsError: if the model cannot be loaded.
        DataError: if a path is missing or holds no image.
        ConfigError: if the model has no attention, has classes and yet no answer for an image, or cannot answer what is
            asked, or if `out` is in use or cannot be written.
        StorageError: if writing fails midway.
    """
    files = expand_paths(paths)
    predictor = load(reference, device)
    settled = inquiry.settled(predictor)
    folder = ExplanationFolder.prepare(Path(out), files, overwrite)
    return draw_explanations(predictor, (Subject(file, file) for file in files), folder, settled)


def draw_explanations(
    predictor: Predictor, subjects: Iterable[Subject], folder: ExplanationFolder, inquiry: Inquiry = USUAL
) -> Iterator[Explained]:
    """Draw what a model looks at, one image after another.

    Args:
        predictor: the trained model.
        subjects: the images.
        folder: where the pictures go.
        inquiry: what is asked about each.

    Yields:
        What became of each image. The index is written at the end, or when the stream is given up.

    Raises:
        StorageError: if the disk refuses.
        ConfigError: if the model has no attention, or cannot answer what is asked.
    """
    from vitrail.jobs.explanation_page import ExplanationGathering
    from vitrail.report.explanation import draw_look

    inquiry = inquiry.settled(predictor)
    done: list[Explained] = []
    gathering = ExplanationGathering(model_title(predictor), inquiry)
    try:
        for subject in subjects:
            try:
                explanation, look = _look(predictor, subject, inquiry)
                file = folder.write_picture(subject.name, draw_look(look))
                gathering.add(subject.name, file.name, explanation, look)
                done.append(Explained(subject.name, explanation, (file,)))
            except ImageError as error:
                gathering.fail(subject.name, error.message)
                done.append(Explained(subject.name, None, error=error.message))
            yield done[-1]
    finally:
        folder.write_index([one.record() for one in done])
        folder.write_rest(gathering.render(), maps_table(done), curves_table(done))


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
    from vitrail.report.explanation import draw_look

    inquiry = USUAL.settled(predictor)
    for subject in subjects:
        with suppress(ImageError):
            yield draw_look(_look(predictor, subject, inquiry)[1])


def model_title(predictor: Predictor) -> str:
    """Name a model in a page.

    Args:
        predictor: the model.

    Returns:
        The folder of its run, or its file.
    """
    path = predictor.path.absolute()
    return path.parent.name if path.name == MODEL_NAME else path.name


def _look(predictor: Predictor, subject: Subject, inquiry: Inquiry) -> tuple[Explanation, Look]:
    from vitrail.report.explanation import Look

    image = decode(subject.image)
    explanation = _explain(predictor, image, subject.name, inquiry, TOP)
    maps = {one.title: one.values for one in explanation.maps.values()}
    signed = frozenset(one.title for one in explanation.maps.values() if one.signed)
    rows = [METHODS[name] for name in inquiry.methods]
    about = explanation.target if any(row.needs_class for row in rows) else None
    query = explanation.query if any(row.needs_attention for row in rows) else ""
    answers = explanation.prediction.top
    return explanation, Look(picture(image), explanation.box, maps, answers, query, subject.truth, signed, about)


def _explain(predictor: Predictor, image: Decoded, name: str, inquiry: Inquiry, top: int) -> Explanation:
    """Answer an inquiry that is settled."""
    prediction = Prediction(name, None, None, ())
    if predictor.classes:
        (prediction,) = predictor.predict([_as_array(image)], top)
    if prediction.error is not None:
        raise ImageError(f"{name}: {prediction.error}" if name else prediction.error)
    spec, config, pixels = predictor.spec, predictor.model.config, predictor.spec.pixels(image)[None]
    number = inquiry.target
    if number is None and predictor.classes:
        number = predictor.classes.index(prediction.top[0][0])
    size = choose_batch_size(config, predictor.device)
    images, black = (
        torch.from_numpy(spec.normalise(one)).to(predictor.device) for one in (pixels, np.zeros_like(pixels))
    )
    target = None if number is None else torch.tensor([number])
    question = Question(predictor.model, images, black, target, inquiry.layer, inquiry.head, size)
    with thread_limit(config, size, predictor.device):
        found = [answer for method in inquiry.methods for answer in METHODS[method].ask(question)]
    maps = {one.name: NamedMap(one.title, one.map[0].numpy(), one.signed, one.remark) for one in found}
    return Explanation(
        prediction=replace(prediction, path=name),
        maps=Table("map", maps),
        box=spec.seen(image.width, image.height),
        size=(image.height, image.width),
        query="the class token" if config.pool.needs_class_token else config.pool.reader,
        target=None if number is None else predictor.classes[int(number)],
        faithfulness=measure(predictor, images, int(number or 0), maps, inquiry.fill) if inquiry.faithfulness else None,
    )


def _as_array(image: Decoded) -> npt.NDArray[np.uint8]:
    """Give the pixels of a decoded image, which decode to the same image again."""
    if isinstance(image, Bands):
        return np.stack([np.asarray(plane) for plane in image.planes], axis=-1)
    return np.asarray(image)
