"""The Predictor: a trained model with everything it needs to answer for an image file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vitrail.core.errors import ConfigError
from vitrail.data.decode import ImageLike, ImageList
from vitrail.data.spec import ImageSpec
from vitrail.engines.build import Engine, build_engine
from vitrail.evaluation.metrics import softmax
from vitrail.jobs.device import choose_batch_size, choose_device, choose_workers, thread_limit
from vitrail.jobs.image_sizes import at_other_sizes
from vitrail.jobs.inference import NamedBatch, stack_rows, stream_named
from vitrail.jobs.prediction import Embedding, Prediction
from vitrail.jobs.selective import UNSURE, threshold_for
from vitrail.models.features import Features
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Grid
from vitrail.weights.load import load_weights
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.reference import Reference, model_path
from vitrail.weights.report import Report

if TYPE_CHECKING:
    from vitrail.jobs.explanation import Explanation

Images = ImageLike | ImageList


class Predictor:
    """Answer for images: any path, encoded bytes, PIL image or uint8 array, of any size.

    Args:
        model: the Vision Transformer.
        record: classes, preprocessing and calibration.
        path: the model file.
        device: where to compute; None for the fastest there is.
        report: what became of every tensor of the file; None if it was not read from one.
    """

    def __init__(
        self,
        model: VisionTransformer,
        record: ModelRecord,
        path: Path,
        device: str | None = "cpu",
        report: Report | None = None,
    ) -> None:
        self.report = report
        self.model = model
        self.record = record
        self.path = path
        self.device = choose_device(device)
        self.engine = build_engine("torch", model, device=str(self.device))
        rows, columns = self._grid(self.spec.size_for(*self.spec.size[::-1]))
        patch = model.config.patch_size
        self._largest = replace(model.config, img_size=(rows * patch, columns * patch))

    @property
    def spec(self) -> ImageSpec:
        """The exact preprocessing."""
        return self.record.spec

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the logits."""
        return self.record.classes

    @property
    def grid(self) -> Grid | None:
        """Rows and columns of patches of every image; None where images keep their aspect, and each has its own."""
        return None if self.spec.mode == "keep" else self._grid(self.spec.size)

    def logits(self, images: Images) -> npt.NDArray[np.float32]:
        """Compute logits, before calibration.

        Args:
            images: one image or several.

        Returns:
            (n, classes) float32.

        Raises:
            ConfigError: if the model is no classifier.
            ImageError: if one cannot be used.
        """
        return stack_rows(self._batches(self.engine, _listed(images)), (len(self.classes),))

    def predict(self, images: Images, top: int = 1, max_error: float | None = None) -> list[Prediction]:
        """Classify images.

        Args:
            images: one image or several.
            top: how many classes to name, best first, 1 or more.
            max_error: part of the answers that may be wrong, 0 < rate < 1; the label is then "unsure" where the model
                is not sure enough to keep it. None to answer always.

        Returns:
            One answer for each image, in order; one that cannot be used has `error` set.

        Raises:
            ConfigError: if `top` is below 1, the model is no classifier, or `max_error` cannot be promised.
        """
        return list(self.stream(_listed(images), top, max_error))

    def stream(
        self, images: Iterable[ImageLike] | npt.NDArray[np.uint8], top: int = 1, max_error: float | None = None
    ) -> Iterator[Prediction]:
        """Classify images one batch after another, holding a few in memory.

        Args:
            images: what to classify; an iterator is asked for them as they are needed.
            top: how many classes to name.
            max_error: as for `predict`.

        Returns:
            One answer for each image, in order.

        Raises:
            ConfigError: as `predict`.
        """
        if top < 1:
            raise ConfigError(f"top = {top} is not allowed; allowed: 1 … {len(self.classes)}")
        surest = 0.0 if max_error is None else threshold_for(self.record, max_error).confidence
        return self._answers(images, top, surest)

    def _answers(
        self, images: Iterable[ImageLike] | npt.NDArray[np.uint8], top: int, threshold: float
    ) -> Iterator[Prediction]:
        for batch in self._batches(self.engine, images):
            answers = {place: Prediction(batch.names[place], None, None, (), why) for place, why in batch.bad.items()}
            if batch.outputs:
                logits = np.stack(list(batch.outputs.values()))
                probabilities = softmax(self.record.calibration.apply(logits))
                order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
                for row, place in enumerate(batch.outputs):
                    best = tuple((self.classes[one], float(probabilities[row, one])) for one in order[row])
                    label = best[0][0] if best[0][1] >= threshold else UNSURE
                    answers[place] = Prediction(batch.names[place], label, best[0][1], best)
            for place in sorted(answers):
                yield answers[place]

    def embed(self, images: Images, pool: str = "model") -> npt.NDArray[np.float32]:
        """Compute features of images: what the model knows of them before its head.

        Args:
            images: one image or several.
            pool: row of `FEATURES`: "model" for the input of the head, "mean" of the patches, "tokens" for all …

        Returns:
            (n, dim) float32; (n, tokens, dim) for "tokens".

        Raises:
            ConfigError: for an unknown pool, for the class token of a model that has none, or for all tokens of images
                that have several numbers of them.
            ImageError: if an image cannot be used.
        """
        features = Features(self.model, pool)
        engine = build_engine("torch", features, device=str(self.device))
        return stack_rows(self._batches(engine, _listed(images)), features.shape(self.grid))

    def stream_features(
        self, images: Iterable[ImageLike] | npt.NDArray[np.uint8], pool: str = "model"
    ) -> Iterator[Embedding]:
        """Compute features one batch after another, as `stream` does.

        Args:
            images: as for `stream`.
            pool: as for `embed`.

        Yields:
            One answer for each image, in order.

        Raises:
            ConfigError: as `embed`.
        """
        engine = build_engine("torch", Features(self.model, pool), device=str(self.device))
        for batch in self._batches(engine, images):
            grids = {place: self._grid(size) for place, size in batch.sizes.items()}
            for place, name in enumerate(batch.names):
                yield Embedding(name, batch.outputs.get(place), batch.bad.get(place), grids.get(place))

    def explain(
        self,
        image: ImageLike,
        method: str | Sequence[str] = (),
        target: str | int | None = None,
        layer: int | None = None,
        head: int | None = None,
        faithfulness: bool = False,
    ) -> Explanation:
        """Compute what the model looks at in an image.

        Args:
            image: of any size.
            method: row of `METHODS`, or several; by default attention of the last block and rollout, and more if more
                is asked, as `Inquiry` says.
            target: name or number of the class that is asked about; None for the one that the image is taken for.
            layer: number of a block, from 0.
            head: number of a head, from 0.
            faithfulness: whether to measure which map to believe.

        Returns:
            `maps` on the grid of patches, such as `last` and `rollout`; the prediction; the box that they cover.

        Raises:
            ImageError: if the image cannot be used.
            ConfigError: if the model has no attention, or there is no such method, class, layer or head.
        """
        from vitrail.jobs.explain import explain
        from vitrail.jobs.inquiry import Inquiry

        methods = (method,) if isinstance(method, str) else tuple(method)
        return explain(self, image, Inquiry(methods, target, layer, head, faithfulness))

    def require_classifier(self) -> None:
        """Refuse a model that has no answer for an image.

        Raises:
            ConfigError: if it has no classes, or no pooling.
        """
        if not self.classes:
            hint = "`vitrail embed` gives its features, `vitrail evaluate --probe linear` says what they are worth"
            raise ConfigError("this model has no classes", hint=hint)
        if self.model.config.pool.per_token:
            raise ConfigError(
                f"this model has no answer for an image: with pool = {self.model.config.pool.kind!r} every token has "
                "logits of its own",
                hint="`vitrail embed --pool tokens` gives features of the tokens, --pool mean those of the image",
            )

    def _grid(self, size: tuple[int, int]) -> Grid:
        return self.model.config.grid_of((1, self.model.config.in_chans, *size))

    def _batches(self, engine: Engine, images: Iterable[ImageLike] | npt.NDArray[np.uint8]) -> Iterator[NamedBatch]:
        """Run images through an engine, in batches and threads that suit the model."""
        if engine is self.engine:
            self.require_classifier()
        size = choose_batch_size(self._largest, self.device)

        def limited(batch: Tensor) -> Tensor:
            with thread_limit(self._largest, len(batch), self.device):
                return engine(batch)

        return stream_named(limited, self.spec, images, size, choose_workers(self.device))


def load(
    reference: Reference | Any,
    device: str | None = "cpu",
    variant: str | None = None,
    *,
    dynamic: bool = False,
    image_size: int | None = None,
    resize: str | None = None,
) -> Predictor:
    """Load a trained model with everything it needs.

    Args:
        reference: a run folder, a model file, other weights (a row of `FORMATS`), what `fit` returned, or a
            Predictor, which is given back as it is, or with its weights shared.
        device: where to compute; None for the fastest there is.
        variant: what it is, such as "S/16", where a weight file does not say.
        dynamic: take whole images at their own aspect, in place of what the model was trained on: mode "keep" of
            `ImageSpec`, in tiles of a patch. Any model can; its positions are carried to the grid of each image.
        image_size: side in pixels of the images, in place of the model's; with `dynamic`, of the square that has as
            many patches as an image may have.
        resize: rule by which learned positions are carried, a row of `RULES`; None for that which the model names.

    Returns:
        The Predictor.

    Raises:
        WeightsError: if there is no such model, or its file is damaged or of another kind.
        ConfigError: if `image_size` does not suit the patches, the rule is unknown, or the positions follow none.
    """
    if isinstance(reference, Predictor):
        predictor = reference
    else:
        path = model_path(getattr(reference, "path", reference))
        loaded = load_weights(path, variant)
        predictor = Predictor(loaded.model, loaded.record, path, device, loaded.report)
    if not dynamic and image_size is None and resize is None:
        return predictor
    model, record = at_other_sizes(predictor.model, predictor.record, dynamic, image_size, resize)
    return Predictor(model, record, predictor.path, str(predictor.device), predictor.report)


def _listed(images: Images) -> ImageList:
    if isinstance(images, list | tuple) or (isinstance(images, np.ndarray) and images.ndim == 4):
        return images
    return [images]  # type: ignore[list-item]
