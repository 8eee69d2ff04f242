"""Batches: for training as a function of (seed, epoch, step), for evaluation in order.

Small sets are decoded once and live in memory; large ones are decoded by workers, a whole batch each. Either way the
batches of an epoch do not depend on the number of workers. An image that cannot be used is missing from its batch, and
moves no other.
"""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vitrail.core.errors import DataError
from vitrail.core.seeding import Stream, uniform
from vitrail.data.augment import Augment, AugmentConfig, crop_boxes
from vitrail.data.dataset import Samples, Traits
from vitrail.data.decode import ALLOWED_FORMATS
from vitrail.data.mixing import MixConfig, mix_batch
from vitrail.data.order import OrderConfig, epoch_order
from vitrail.data.pixels import Pixels, cores, examine_images, load_pixels, stream_pixels
from vitrail.data.spec import ImageSpec

MEMORY_LIMIT = 2**30
COUNTERS = 2**32


@dataclass(frozen=True)
class BadFile:
    """Name an image that could not be used.

    Args:
        index: its number in the split.
        name: what it is called.
        reason: why it could not be used.
    """

    index: int
    name: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Hold one training batch.

    Args:
        images: (batch, channels, height, width) float32, normalised; none if not one of the batch can be used.
        targets: (batch, classes) float32, probabilities.
        labels: (batch,) int64, before mixing.
        indices: (batch,) which samples.
        bad: images that could not be decoded and are missing from the batch; not those known before training.
    """

    images: Tensor
    targets: Tensor
    labels: Tensor
    indices: npt.NDArray[np.int64]
    bad: tuple[BadFile, ...] = ()


@dataclass(frozen=True)
class _FileBatches(Dataset[tuple[Pixels, npt.NDArray[np.int64], list[tuple[int, str]]]]):
    """Be a data set whose items are whole batches of one epoch, for torch's DataLoader."""

    samples: Samples
    spec: ImageSpec
    augment: AugmentConfig
    seed: int
    epoch: int
    batches: list[npt.NDArray[np.int64]]

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, step: int) -> tuple[Pixels, npt.NDArray[np.int64], list[tuple[int, str]]]:
        places = self.batches[step]
        indices = places % len(self.samples)
        height, width = self.spec.size
        numbers = uniform(self.seed, Stream.AUGMENT, self.epoch, places % COUNTERS, 4)

        def crop(position: int, aspect: float) -> npt.NDArray[np.float64]:
            return crop_boxes(self.augment, numbers[position : position + 1], aspect * height / width)[0]

        images = [self.samples.image(int(index)) for index in indices]
        pixels, good, bad = load_pixels(images, self.spec, crop if self.augment.crops else None)
        empty = np.empty((0, height, width, self.spec.channels), dtype=np.uint8)
        return (
            np.stack(pixels) if pixels else empty,
            places[good],
            [(int(indices[position]), reason) for position, reason in bad],
        )


class TrainLoader:
    """Give the training batches of any epoch, from any step on.

    Args:
        samples: the training split.
        spec: what the model takes. Where it keeps aspects, training images are cropped to its size: a batch has one.
        augment: how images are varied.
        mix: how images and labels are mixed.
        traits: what the data allow.
        num_classes: number of classes.
        batch_size: images a step; an epoch is divided into steps of nearly equal size, each image once.
        seed: seed of the run.
        workers: processes that decode, for sets that do not fit in memory; None: one a core, 8 at most.
        memory_limit: bytes of decoded pixels up to which the set lives in memory.
        order: how often an epoch shows an image; None for once.

    Raises:
        DataError: if not one image can be decoded.
    """

    def __init__(
        self,
        samples: Samples,
        spec: ImageSpec,
        augment: AugmentConfig,
        mix: MixConfig,
        traits: Traits,
        num_classes: int,
        batch_size: int,
        seed: int,
        workers: int | None = None,
        memory_limit: int = MEMORY_LIMIT,
        order: OrderConfig | None = None,
    ) -> None:
        spec = spec.fixed
        self.samples, self.spec, self.augment, self.mix = samples, spec, augment, mix
        self.num_classes, self.batch_size, self.seed = num_classes, batch_size, seed
        self.order = order or OrderConfig()
        self.workers = min(8, cores()) if workers is None else workers
        self.bad: dict[int, BadFile] = {}
        self.pixels: Pixels | None = None
        if len(samples) * int(np.prod(spec.size)) * spec.channels <= memory_limit:
            self._fill_memory()
        else:
            for index, reason in examine_images(samples.images):
                self._note_bad(index, reason)
        self.usable = np.array([index not in self.bad for index in range(len(samples))], dtype=bool)
        if not self.usable.any():
            raise self._nothing_usable()
        self.varied = Augment(augment, traits, spec.size, self.pixels is None, spec.mean, spec.std)

    def _fill_memory(self) -> None:
        self.pixels = np.zeros((len(self.samples), *self.spec.size, self.spec.channels), dtype=np.uint8)
        for start, pixels, good, bad in stream_pixels(self.samples.images, self.spec, 512):
            for position, image in zip(good, pixels, strict=True):
                self.pixels[start + position] = image
            for position, reason in bad:
                self._note_bad(start + position, reason)

    def _nothing_usable(self) -> DataError:
        return DataError(
            f"not one of the {len(self.samples)} training images can be used; the first: "
            f"{self.bad[min(self.bad)].reason if self.bad else 'there is none'}",
            hint=f"check the files; allowed formats: {ALLOWED_FORMATS}",
        )

    def _note_bad(self, index: int, reason: str) -> BadFile:
        return self.bad.setdefault(index, BadFile(index, self.samples.names[index], reason))

    @property
    def steps_per_epoch(self) -> int:
        """Steps of one epoch; those of images that cannot be used are counted, so that none can change the number."""
        return max(1, round(len(self.samples) / self.batch_size))

    def epoch(self, epoch: int, first_step: int = 0, device: torch.device | str = "cpu") -> Iterator[Batch]:
        """Give the batches of one epoch.

        Args:
            epoch: epoch number, from 0.
            first_step: step to begin with, for going on after an interruption.
            device: where augmentation and mixing happen.

        Yields:
            Batches, the same whatever the number of workers.

        Raises:
            DataError: if a worker dies, or not one image of the whole epoch can be used.
        """
        order, count = epoch_order(self.order, self.samples.labels, self.seed, epoch), len(self.samples)
        batches = [part[self.usable[part % count]] for part in np.array_split(order, self.steps_per_epoch)[first_step:]]
        seen = first_step  # whoever goes on has seen images before
        for step, (pixels, places, bad) in enumerate(self._fetch(batches, epoch), start=first_step):
            noted = tuple(self._note_bad(index, reason) for index, reason in bad)
            seen += len(places)
            yield self._finished(torch.from_numpy(pixels).to(device), places, noted, epoch, step)
        if not seen:
            raise self._nothing_usable()

    def _finished(
        self, pixels: Tensor, places: npt.NDArray[np.int64], bad: tuple[BadFile, ...], epoch: int, step: int
    ) -> Batch:
        """Vary, normalise and mix."""
        indices = places % len(self.samples)
        labels = torch.from_numpy(self.samples.labels[indices]).to(pixels.device)
        if not len(indices):
            nothing = pixels.new_empty((0, self.spec.channels, *self.spec.size), dtype=torch.float32)
            return Batch(nothing, nothing.new_empty((0, self.num_classes)), labels, indices, bad)
        images = self.varied(pixels, uniform(self.seed, Stream.AUGMENT, epoch, places % COUNTERS, self.augment.draws))
        mean = images.new_tensor(self.spec.mean)[:, None, None]
        std = images.new_tensor(self.spec.std)[:, None, None]
        images = (images - mean) / std
        images, targets = mix_batch(self.mix, images, labels, self.num_classes, self.seed, epoch, step)
        return Batch(images, targets, labels, indices, bad)

    def _fetch(
        self, batches: list[npt.NDArray[np.int64]], epoch: int
    ) -> Iterator[tuple[Pixels, npt.NDArray[np.int64], list[tuple[int, str]]]]:
        if self.pixels is not None:
            for places in batches:
                yield self.pixels[places % len(self.samples)], places, []
            return
        source = _FileBatches(self.samples, self.spec, self.augment, self.seed, epoch, batches)
        try:
            for pixels, places, bad in _start(source, self.workers):
                yield np.asarray(pixels), np.asarray(places), bad
        except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker (pid" not in str(error):
                raise
            raise DataError(
                f"a loader worker died: {error}",
                hint="it may have run out of memory (in a container: of /dev/shm); a smaller batch_size needs less",
            ) from error


def _start(source: _FileBatches, workers: int) -> Iterator[Any]:
    """Start torch's DataLoader such that a dead worker is reported to whoever waits for a batch.

    Torch also installs a handler of SIGCHLD, which would raise anywhere: in the middle of an optimizer's step, say.
    """
    child = getattr(signal, "SIGCHLD", None)
    before = signal.getsignal(child) if child else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This DataLoader will create")  # as many as were asked for
        batches = iter(DataLoader(source, batch_size=None, num_workers=workers))
    if child and before is not None and threading.current_thread() is threading.main_thread():
        signal.signal(child, before)
    return batches
