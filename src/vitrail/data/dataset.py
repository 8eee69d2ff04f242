"""What a data reference opens to: splits of labelled images that share one class map."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from vitrail.core.files import sha256
from vitrail.data.decode import ImageLike


class Paths(Sequence[str]):
    """Hold many paths below one folder compactly: each is joined to the folder when it is asked for.

    Args:
        root: folder that relative names start from.
        names: paths relative to the root; absolute ones stay as they are.
    """

    def __init__(self, root: str, names: Sequence[str]) -> None:
        self.root = root
        self.names = names

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> Paths: ...

    def __getitem__(self, index: int | slice) -> str | Paths:
        if isinstance(index, slice):
            return Paths(self.root, self.names[index])
        return os.path.join(self.root, self.names[index])

    def __len__(self) -> int:
        return len(self.names)

    def take(self, indices: npt.NDArray[np.int64]) -> Paths:
        """Keep some paths, in the order given.

        Args:
            indices: which.

        Returns:
            New paths below the same root.
        """
        return Paths(self.root, [self.names[index] for index in indices])


@dataclass(frozen=True)
class Samples:
    """Hold one split: where its images are, and their labels.

    Args:
        images: paths as text, or one uint8 array (n, height, width, channels) for sets that live in memory.
        labels: (n,) int64, index into the data set's classes.
        names: what to call each image in reports: paths relative to the data's root, or "digits/17".
    """

    images: Sequence[str] | npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> ImageLike:
        """Give one image, as `decode` takes it.

        Args:
            index: 0 ≤ index < len.

        Returns:
            A path or an array.
        """
        return self.images[index]

    def take(self, indices: npt.NDArray[np.int64]) -> Samples:
        """Keep some samples, in the order given.

        Args:
            indices: which.

        Returns:
            New samples.
        """
        images: Sequence[str] | npt.NDArray[np.uint8]
        if isinstance(self.images, np.ndarray):
            images = self.images[indices]
        elif isinstance(self.images, Paths):
            images = self.images.take(indices)
        else:
            images = [self.images[index] for index in indices]
        return Samples(images, self.labels[indices], [self.names[index] for index in indices])

    def fingerprint(self) -> str:
        """Hash names and labels, and the pixels of sets in memory.

        Returns:
            64 hexadecimal digits.
        """
        pixels = self.images.tobytes() if isinstance(self.images, np.ndarray) else b""
        return sha256("\0".join(self.names).encode("utf-8", "surrogatepass"), self.labels.tobytes(), pixels)


@dataclass(frozen=True)
class Traits:
    """Say what is known about a set beforehand, so that augmentation fits it.

    Args:
        flip: whether a mirrored image still belongs to its class (not so for digits and letters).
        photo: whether images are photographs, for which colour changes and crops make sense.
    """

    flip: bool = True
    photo: bool = True


@dataclass(frozen=True)
class Dataset:
    """Hold every split of a data reference.

    Args:
        reference: what the user gave.
        classes: names, in the order of the labels; made from the training split.
        splits: "train", "val", "test" → samples; at least one.
        traits: what is known about the images.
        notes: what was decided on the user's behalf, each a sentence to be shown.
        made_splits: splits that were cut out of another one by seed rather than given.
    """

    reference: str
    classes: tuple[str, ...]
    splits: dict[str, Samples]
    traits: Traits = Traits()
    notes: tuple[str, ...] = ()
    made_splits: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Hash everything that training could see.

        Returns:
            64 hexadecimal digits.
        """
        parts = [f"{name}:{samples.fingerprint()}" for name, samples in sorted(self.splits.items())]
        return sha256("\0".join([*self.classes, *parts]).encode())
