"""From images to logits, the same way for validation, evaluation and prediction."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import numpy.typing as npt
import torch

from vitrail.core.errors import ConfigError, ImageError
from vitrail.data.dataset import Samples
from vitrail.data.decode import ImageLike, ImageList
from vitrail.data.pixels import Pixels, in_parts, load_pixels, stream_pixels
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


@dataclass(frozen=True)
class OutputBatch:
    """Hold what a model gave for one batch.

    Args:
        good: numbers of the good images, in order.
        outputs: one float32 array for each of these; they differ in shape only where images differ in size and the
            model gives something for each token.
        sizes: height and width of what the model was given for each of these.
        bad: number and reason of each image that could not be used.
    """

    good: list[int]
    outputs: list[npt.NDArray[np.float32]]
    sizes: list[tuple[int, int]]
    bad: list[tuple[int, str]]


def stream_outputs(
    engine: Engine,
    spec: ImageSpec,
    images: ImageList | Iterator[ImageLike],
    batch_size: int = BATCH_SIZE,
    workers: int = 0,
) -> Iterator[OutputBatch]:
    """Run images through an engine in order, batch by batch; those of a batch that have one size run together.

    Args:
        engine: what executes the model.
        spec: the exact preprocessing.
        images: paths, encoded bytes, PIL images or arrays; an iterator is asked for a few batches at a time.
        batch_size: images at once.
        workers: if there is more than one batch, threads that each take one from file to output, and share PyTorch's
            threads: on a CPU that is faster than sharing each operation. 0: batches are decoded ahead by threads, and
            computed one after another.

    Yields:
        The batches, in the order of the images.
    """
    start = 0
    if workers:
        parts = in_parts(images, batch_size)
        first = list(islice(parts, 2))
        if len(first) == 2:
            for batch in _side_by_side(engine, spec, chain(first, parts), workers):
                yield _moved(batch, start)
                start += len(batch.good) + len(batch.bad)
            return
        images = first[0] if first else []
    for start, pixels, good, bad in stream_pixels(images, spec, batch_size):
        yield _moved(_compute(engine, spec, pixels, good, bad), start)


@dataclass(frozen=True)
class NamedBatch:
    """Hold what a model gave for one batch, by place in the batch.

    Args:
        names: of all images; "" for those that have none.
        outputs: place of each good image, in order → its output.
        sizes: place of each good image → height and width of what the model was given.
        bad: place of each other image → why it could not be used.
    """

    names: list[str]
    outputs: dict[int, npt.NDArray[np.float32]]
    sizes: dict[int, tuple[int, int]]
    bad: dict[int, str]


def stream_named(
    engine: Engine, spec: ImageSpec, images: Iterable[ImageLike] | npt.NDArray[np.uint8], batch_size: int, workers: int
) -> Iterator[NamedBatch]:
    """Run images through an engine as `stream_outputs` does, remembering only the names of those on their way.

    Args:
        engine: what executes the model.
        spec: the exact preprocessing.
        images: asked for as they are needed.
        batch_size: images at once.
        workers: as for `stream_outputs`.

    Yields:
        The batches, in the order of the images.
    """
    names: deque[str] = deque()
    start = 0

    def named() -> Iterator[ImageLike]:
        for image in images:
            names.append(os.fspath(image) if isinstance(image, str | os.PathLike) else "")
            yield image

    for batch in stream_outputs(engine, spec, named(), batch_size, workers):
        count = len(batch.good) + len(batch.bad)
        places = [number - start for number in batch.good]
        outputs = dict(zip(places, batch.outputs, strict=True))
        sizes = dict(zip(places, batch.sizes, strict=True))
        reasons = {number - start: reason for number, reason in batch.bad}
        yield NamedBatch([names.popleft() for _ in range(count)], outputs, sizes, reasons)
        start += count


def stack_rows(batches: Iterable[NamedBatch], shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Put the outputs for all images together.

    Args:
        batches: in order.
        shape: of an output, for the case that there is none.

    Returns:
        (n, …) float32.

    Raises:
        ImageError: if an image could not be used.
        ConfigError: if outputs differ in shape.
    """
    rows: list[npt.NDArray[np.float32]] = []
    for batch in batches:
        for reason in batch.bad.values():
            raise ImageError(reason)
        rows += batch.outputs.values()
    counts = {len(row) for row in rows}
    if len(counts) > 1:
        raise ConfigError(
            f"these images have {min(counts)} … {max(counts)} tokens, which make no array",
            hint="give one image at a time, stream them (`stream_features`), or take another pool",
        )
    return np.stack(rows) if rows else np.empty((0, *shape), dtype=np.float32)


def _compute(
    engine: Engine, spec: ImageSpec, pixels: list[Pixels], good: list[int], bad: list[tuple[int, str]]
) -> OutputBatch:
    """Run the images of one size together, and put what comes out in the order of the images."""
    sizes = [(len(image), len(image[0])) for image in pixels]
    outputs: dict[int, npt.NDArray[np.float32]] = {}
    for size in dict.fromkeys(sizes):
        places = [place for place, other in enumerate(sizes) if other == size]
        batch = spec.normalise(np.stack([pixels[place] for place in places]))
        outputs.update(zip(places, engine(torch.from_numpy(batch)).numpy(), strict=True))
    return OutputBatch(good, [outputs[place] for place in range(len(pixels))], sizes, bad)


def _moved(batch: OutputBatch, start: int) -> OutputBatch:
    bad = [(start + place, reason) for place, reason in batch.bad]
    return replace(batch, good=[start + place for place in batch.good], bad=bad)


def _side_by_side(engine: Engine, spec: ImageSpec, parts: Iterator[ImageList], workers: int) -> Iterator[OutputBatch]:
    def run(part: ImageList) -> OutputBatch:
        return _compute(engine, spec, *load_pixels(part, spec))

    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(workers, "batch", torch.set_num_threads, (max(1, before // workers),))
    try:
        waiting = deque(pool.submit(run, part) for part in islice(parts, workers + 1))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(run, part) for part in islice(parts, 1))
            yield result
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # threads begin with what any thread has set last


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
    rows: list[npt.NDArray[np.float32]] = []
    for batch in stream_outputs(engine, spec, samples.images, batch_size):
        indices += batch.good
        bad += batch.bad
        rows += batch.outputs
    numbers = np.asarray(indices, dtype=np.int64)
    logits = np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
    return Outputs(logits, samples.labels[numbers], numbers, tuple(bad))
