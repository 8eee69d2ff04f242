"""From a listing to what is known of its images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vitrail.core.errors import DataError
from vitrail.data.check.look import Look, look_at_all
from vitrail.data.check.near import Pair, near_pairs
from vitrail.data.check.quick import content_keys
from vitrail.data.check.survey import Catalogue, Survey
from vitrail.data.dataset import Samples
from vitrail.data.decode import ALLOWED_FORMATS

Progress = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and how much there is."""


def catalogue_of(classes: tuple[str, ...], splits: dict[str, Samples]) -> Catalogue:
    """Put the splits of a data set into one row.

    Args:
        classes: names.
        splits: name → samples, in the order of the row.

    Returns:
        The row.
    """
    parts = list(splits.values())
    paths = [path for part in parts if not isinstance(part.images, np.ndarray) for path in part.images]
    return Catalogue(
        [name for part in parts for name in part.names],
        paths,
        classes,
        np.concatenate([part.labels for part in parts]),
        tuple(splits),
        np.repeat(np.arange(len(parts)), [len(part) for part in parts]),
    )


def survey_quickly(catalogue: Catalogue, splits: dict[str, Samples]) -> Survey:
    """See which images are equal as they are stored; nothing is decoded.

    Args:
        catalogue: of the splits.
        splits: name → samples.

    Returns:
        A survey without looks.
    """
    if catalogue.paths:
        return Survey(catalogue, content_keys(catalogue.paths))
    return Survey(catalogue, [key for part in splits.values() for key in content_keys(part.images)])


def survey(
    catalogue: Catalogue,
    splits: dict[str, Samples],
    near: bool = True,
    progress: Progress = lambda what, done, total: None,
    threads: int | None = None,
) -> Survey:
    """Look at every image, and search for those that are the same or nearly so.

    Args:
        catalogue: of the splits.
        splits: name → samples.
        near: whether near duplicates are searched for.
        progress: is told how far it has come.
        threads: how many look at once; None: one a core.

    Returns:
        Everything that was seen.

    Raises:
        DataError: if not one image can be used.
    """
    looks: list[Look] = []
    for look in _all_looks(splits, threads):
        looks.append(look)
        progress("looking at images", len(looks), len(catalogue))
    if all(look.reason for look in looks):
        raise DataError(
            f"not one of the {len(looks):,} images can be used; the first: {catalogue.names[0]}: {looks[0].reason}",
            hint=f"check the files; allowed formats: {ALLOWED_FORMATS}",
        )
    keys = [look.pixels or None for look in looks]
    return Survey(catalogue, keys, looks, _near(looks, progress) if near else ())


def _all_looks(splits: dict[str, Samples], threads: int | None) -> Iterator[Look]:
    for part in splits.values():
        yield from look_at_all(part.images, threads)


def _near(looks: Sequence[Look], progress: Progress) -> list[Pair]:
    """Search among different pictures; the first of each stands for all that are equal to it."""
    first = {look.pixels: index for index, look in reversed(list(enumerate(looks))) if look.thumbnail is not None}
    places = sorted(first.values())
    thumbnails = np.stack([looks[place].thumbnail for place in places])  # type: ignore[misc]
    colours = np.array([looks[place].colour for place in places], dtype=np.int64)

    def tell(part: float) -> None:
        progress("searching near duplicates", round(part * len(places)), len(places))

    found = near_pairs(thumbnails, colours, tell)
    return [Pair(places[pair.first], places[pair.second], pair.likeness) for pair in found]
