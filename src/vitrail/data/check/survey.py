"""What is known of all images of a data set once each has been looked at; findings are read off it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from vitrail.data.check.look import Look
from vitrail.data.check.near import Pair


@dataclass(frozen=True)
class Catalogue:
    """Hold the images of a data set in one row, split after split.

    Args:
        names: of the images, as reports call them.
        paths: of their files; empty for sets in memory.
        classes: names, those without images included.
        labels: (n,) index into `classes`.
        splits: names of the splits; one, "all", where none are given.
        split_of: (n,) index into `splits`.
    """

    names: Sequence[str]
    paths: Sequence[str]
    classes: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    splits: tuple[str, ...]
    split_of: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def label(self, index: int) -> str:
        """Name the class of an image.

        Args:
            index: of the image.

        Returns:
            The name.
        """
        return self.classes[int(self.labels[index])]

    def split(self, index: int) -> str:
        """Name the split of an image.

        Args:
            index: of the image.

        Returns:
            The name.
        """
        return self.splits[int(self.split_of[index])]


@dataclass(frozen=True)
class Group:
    """Hold images that show one picture.

    Args:
        members: their indices, ascending, two or more.
        exact: whether all have the same pixels.
        likeness: of the least alike pair that joins them; 1 if exact.
    """

    members: tuple[int, ...]
    exact: bool
    likeness: float = 1.0


@dataclass(frozen=True)
class Survey:
    """Hold everything that was seen.

    Args:
        catalogue: the images.
        keys: what tells pictures apart, one an image: images with equal keys are the same; None for those without.
        looks: one an image; none where only keys were taken.
        pairs: near duplicates.
    """

    catalogue: Catalogue
    keys: Sequence[bytes | None]
    looks: Sequence[Look] = ()
    pairs: Sequence[Pair] = field(default=())

    @cached_property
    def exact(self) -> list[Group]:
        """Groups of images that are the same."""
        return same_keys(self.keys)

    @cached_property
    def groups(self) -> list[Group]:
        """Groups of images that are the same or nearly so; no image is in two."""
        return joined(self.exact, self.pairs)


def same_keys(keys: Iterable[bytes | None]) -> list[Group]:
    """Group equal keys.

    Args:
        keys: one an image; None is like nothing.

    Returns:
        Groups of two or more, in the order of their first members.
    """
    found: dict[bytes, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            found.setdefault(key, []).append(index)
    return [Group(tuple(members), exact=True) for members in found.values() if len(members) > 1]


def joined(exact: Sequence[Group], pairs: Iterable[Pair]) -> list[Group]:
    """Join groups of equal images by pairs of near duplicates.

    Args:
        exact: groups of equal images.
        pairs: near duplicates.

    Returns:
        Groups, in the order of their first members.
    """
    parent: dict[int, int] = {}
    likeness: dict[int, float] = {}

    def root(index: int) -> int:
        while parent.setdefault(index, index) != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def join(one: int, other: int, score: float) -> None:
        first, second = sorted((root(one), root(other)))
        parent[second] = first
        likeness[first] = min(score, likeness.pop(second, 1.0), likeness.get(first, 1.0))

    for group in exact:
        for member in group.members[1:]:
            join(group.members[0], member, 1.0)
    is_near = set()
    for pair in pairs:
        join(pair.first, pair.second, pair.likeness)
        is_near.add(pair.first)
    members: dict[int, list[int]] = {}
    for index in sorted(parent):
        members.setdefault(root(index), []).append(index)
    near = {root(index) for index in is_near}
    return [Group(tuple(those), first not in near, likeness[first]) for first, those in sorted(members.items())]
