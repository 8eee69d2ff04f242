"""From images to logits, the same way for validation, evaluation and prediction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from vitrail.data.dataset import Samples
from vitrail.data.decode import ImageLike, ImageList
from vitrail.data.pixels import stream_pixels
from vitrail.data.spec import ImageSpec
from vitrail.engines.build import Engine

BATCH_SIZE = 64


@dataclass(frozen=True)
class Outputs:
    """Hold what a model gave for one split.

    Args:
        logits: (good, classes) float32.
        labels: (good,) int64.
        indices: (good,) their numbers in the split.
        bad: (number in the split, reason) of each image that could not be used.
    """

    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int64]
    bad: tuple[tuple[int, str], ...]


def stream_outputs(
    engine: Engine, spec: ImageSpec, images: ImageList | Iterator[ImageLike], batch_size: int = BATCH_SIZE
) -> Iterator[tuple[list[int], npt.NDArray[np.float32], list[tuple[int, str]]]]:
    """Run images through an engine in order, batch by batch.

    Args:
        engine: what executes the model.
        spec: the exact preprocessing.
        images: paths, encoded bytes, PIL images or arrays; an iterator is asked for a few batches at a time.
        batch_size: images at once.

    Yields:
        Numbers of the good images, their outputs, and (number, reason) of each bad one.
    """
    for start, pixels, good, bad in stream_pixels(images, spec, batch_size):
        batch = torch.from_numpy(spec.normalise(pixels))
        outputs = engine(batch).numpy() if len(good) else np.empty((0, 0), dtype=np.float32)
        yield [start + place for place in good], outputs, [(start + place, reason) for place, reason in bad]


def compute_outputs(engine: Engine, spec: ImageSpec, samples: Samples, batch_size: int = BATCH_SIZE) -> Outputs:
    """Compute the logits of a whole split.

    Args:
        engine: what executes the model.
        spec: the exact preprocessing.
        samples: the split.
        batch_size: images at once.

    Returns:
        Logits and labels of the good images, and the bad ones by number.
    """
    indices: list[int] = []
    bad: list[tuple[int, str]] = []
    parts = []
    for good, outputs, failed in stream_outputs(engine, spec, samples.images, batch_size):
        indices += good
        bad += failed
        if len(good):
            parts.append(outputs)
    numbers = np.asarray(indices, dtype=np.int64)
    logits = np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)
    return Outputs(logits, samples.labels[numbers], numbers, tuple(bad))
