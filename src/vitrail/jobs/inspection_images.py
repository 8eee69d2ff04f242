"""Which images are looked at, and their pixels, batch by batch."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import DataError
from vitrail.core.seeding import Stream, permutation
from vitrail.data.dataset import Samples
from vitrail.data.decode import ImageLike
from vitrail.data.pixels import Pixels, stream_pixels
from vitrail.data.sources import list_data
from vitrail.data.sources.listing import UNSPLIT
from vitrail.data.spec import ImageSpec
from vitrail.data.tree import images_below
from vitrail.weights.reference import Reference

PREFERRED = ("test", "val", UNSPLIT, "train")
"""The split that is looked at is the first of these that there is: images that were not learned from tell more."""


@dataclass(frozen=True)
class Batch:
    """Hold images of one size.

    Args:
        names: what each is called.
        pixels: (images, height, width, channels) uint8.
    """

    names: list[str]
    pixels: npt.NDArray[np.uint8]


@dataclass
class Chosen:
    """Hold the images that may be looked at, in an order given by a seed.

    Args:
        reference: what the user gave.
        split: which split; "" if the data have none.
        images: all of them.
        names: what each is called.
        order: numbers, in the order in which they are asked for.
        bad: name and reason of each that could not be used, filled while they are.
    """

    reference: str
    split: str
    images: Sequence[ImageLike] | npt.NDArray[np.uint8]
    names: Sequence[str]
    order: list[int]
    bad: list[tuple[str, str]] = field(default_factory=list)

    def batches(self, spec: ImageSpec, wanted: int, batch_size: int) -> Generator[Batch]:
        """Give images until there are as many as wanted; those that cannot be used are passed over, others take part.

        Args:
            spec: the exact preprocessing.
            wanted: how many, 1 or more.
            batch_size: images at once.

        Yields:
            Batches, each of one size; where sizes differ, those of one size wait for each other.
        """
        found = 0
        waiting: dict[tuple[int, ...], list[tuple[str, Pixels]]] = {}
        stream = stream_pixels((self.images[number] for number in self.order), spec, batch_size)
        for start, pixels, good, bad in stream:
            self.bad += [(self.names[self.order[start + place]], reason) for place, reason in bad]
            for place, image in zip(good[: wanted - found], pixels, strict=False):
                group = waiting.setdefault(image.shape, [])
                group.append((self.names[self.order[start + place]], image))
                found += 1
                if len(group) == batch_size:
                    yield _batch(waiting.pop(image.shape))
            if found == wanted:
                break
        for group in waiting.values():
            yield _batch(group)


def choose_images(data: Reference, seed: int) -> Chosen:
    """Find the images of a data reference; labels do not matter.

    Args:
        data: a data reference, or a folder of images in any arrangement.
        seed: decides the order.

    Returns:
        The images of one split, the test split if there is one.

    Raises:
        DataError: if the reference names nothing, or what it names cannot be read.
    """
    name = os.fspath(data)
    try:
        splits = list_data(data).splits
        split = next(one for one in PREFERRED if one in splits)
        samples = splits[split]
    except DataError:
        paths = sorted(images_below(name)) if os.path.isdir(name) else []
        if not paths:
            raise
        split, samples = UNSPLIT, Samples(paths, np.zeros(len(paths), dtype=np.int64), paths)
    order = permutation(seed, Stream.SELECT, 0, len(samples)).tolist()
    return Chosen(name, "" if split == UNSPLIT else split, samples.images, samples.names, order)


def _batch(group: list[tuple[str, Pixels]]) -> Batch:
    return Batch([name for name, _ in group], np.stack([pixels for _, pixels in group]))
