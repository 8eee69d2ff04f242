"""The features of a split by a model that stays as it is: computed once, and found again by content."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from vitrail import __version__
from vitrail.core.config import to_dict
from vitrail.core.errors import StorageError
from vitrail.core.files import sha256
from vitrail.data.dataset import Samples
from vitrail.data.decode import ImageLike
from vitrail.data.pixels import cores
from vitrail.evaluation.probes import Labelled
from vitrail.jobs.events import Listener, Note, silent
from vitrail.jobs.feature_store import FeatureStore, Row
from vitrail.jobs.predictor import Predictor
from vitrail.models.blank import blank_model
from vitrail.weights.model_file import tensors_sha256
from vitrail.weights.start import take_over

AT_ONCE = 2048
"""Images whose features are written together: what an interruption can lose."""


@dataclass(frozen=True)
class SplitFeatures:
    """Hold the features of one split.

    Args:
        labelled: features and labels of the images that can be used, in order.
        bad: (number in the split, reason) of each image that cannot be used.
    """

    labelled: Labelled
    bad: tuple[tuple[int, str], ...] = ()


class FrozenFeatures:
    """Give features of images, from the cache where they are known.

    Args:
        predictor: the model; its weights must stay as they are.
        pool: row of `FEATURES` that gives one vector an image; None for what the head's last layer reads, or the mean
            of the patches for models without pooling.
        listener: is told if features cannot be kept.
    """

    def __init__(self, predictor: Predictor, pool: str | None = None, listener: Listener = silent) -> None:
        self.predictor, self.listener = predictor, listener
        self.pool = pool or ("mean" if predictor.model.config.pool.per_token else "pre_logits")
        self.store = FeatureStore(_key(predictor, self.pool))
        self.known = self.store.read()
        self.computed = 0

    def of(self, samples: Samples) -> SplitFeatures:
        """Give the features of a split.

        Args:
            samples: the split.

        Returns:
            The features, labels of the good images, and the bad ones by number.
        """
        images = [samples.image(number) for number in range(len(samples))]
        with ThreadPoolExecutor(cores(), thread_name_prefix="digest") as pool:
            digests = list(pool.map(_digest, images))
        reasons: dict[bytes, str] = {}
        first = {digest: place for place, digest in reversed(list(enumerate(digests)))}
        news = sorted(place for digest, place in first.items() if digest not in self.known)
        for start in range(0, len(news), AT_ONCE):
            self._compute(images, digests, news[start : start + AT_ONCE], reasons)
        good = [place for place, digest in enumerate(digests) if digest in self.known]
        bad = tuple((place, reasons[digest]) for place, digest in enumerate(digests) if digest not in self.known)
        rows = [self.known[digests[place]] for place in good]
        x = np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
        return SplitFeatures(Labelled(x, samples.labels[np.asarray(good, dtype=np.int64)]), bad)

    def _compute(
        self, images: list[ImageLike], digests: list[bytes], places: list[int], reasons: dict[bytes, str]
    ) -> None:
        """Compute features that are not known, and keep them; an image that cannot be used has a reason instead."""
        answers = self.predictor.stream_features((images[place] for place in places), self.pool)
        rows: dict[bytes, Row] = {}
        for place, answer in zip(places, answers, strict=True):
            if answer.features is None:
                reasons[digests[place]] = answer.error or ""
            else:
                rows[digests[place]] = answer.features
        self.known.update(rows)
        self.computed += len(rows)
        if rows:
            try:
                self.store.write(rows)
            except StorageError as error:
                self.listener(Note(f"features are not kept for another time: {error.message}"))


def _digest(image: ImageLike) -> bytes:
    """Hash an image as it is given: the bytes of its file, or its pixels."""
    if isinstance(image, np.ndarray):
        return hashlib.sha256(f"{image.dtype} {image.shape} ".encode() + image.tobytes()).digest()
    try:
        with Path(image).open("rb") as file:  # type: ignore[arg-type]
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return os.urandom(32)  # it has no content: nothing is found for it, and the model says what is wrong


def _key(predictor: Predictor, pool: str) -> str:
    """Hash whatever decides features; the head does not, nor whether positions were carried before or on the way."""
    model, spec = predictor.model, predictor.spec
    config, state = model.config.updated(num_classes=0), model.state_dict()
    if spec.mode != "keep":
        config = config.updated(img_size=spec.size, dynamic=False)
        state = take_over(blank_model(config), model, same_classes=False).state
    about = {
        "architecture": to_dict(config),
        "tensors": tensors_sha256({name: value for name, value in state.items() if not name.startswith("head")}),
        "spec": to_dict(spec),
        "pool": pool,
        "device": predictor.device.type,
        "versions": [__version__, torch.__version__],
    }
    return sha256(json.dumps(about, sort_keys=True).encode())
