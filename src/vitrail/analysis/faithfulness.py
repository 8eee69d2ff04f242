"""Whether a map is faithful: what becomes of an answer as patches go, or come, in the order of the map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vitrail.analysis.fills import FILLS
from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.core.seeding import Stream, permutation, uniform
from vitrail.nn.shapes import Grid, Images

Score: TypeAlias = Callable[[Images], Tensor]
"""Images → (images,) how much a model believes in the class that is asked about, such as its probability."""
Numbers: TypeAlias = npt.NDArray[np.float64]

STEPS = 10
RISK = 0.05
"""How often, at most, random orders would be taken for a map worth believing."""


@dataclass(frozen=True)
class Curves:
    """Hold what became of an answer along one order of the patches.

    Args:
        fractions: part of the patches that have gone, or come; from 0 to 1.
        deletion: score while the first patches of the order are taken from the image.
        insertion: score while they are put into an image that has none.
    """

    fractions: Numbers
    deletion: Numbers
    insertion: Numbers

    @property
    def deleted(self) -> float:
        """Area under the deletion curve: low if what goes first mattered."""
        return _area(self.fractions, self.deletion)

    @property
    def inserted(self) -> float:
        """Area under the insertion curve: high if what comes first suffices."""
        return _area(self.fractions, self.insertion)

    @property
    def gain(self) -> float:
        """Insertion less deletion: the larger, the more faithful. Of random orders, 0 on average."""
        return self.inserted - self.deleted


@dataclass(frozen=True)
class Faithfulness:
    """Hold the curves of some maps of one image, and those of random orders beside them.

    Args:
        curves: by name of the map.
        chance: of as many random orders as were drawn.
    """

    curves: Mapping[str, Curves]
    chance: tuple[Curves, ...]

    @property
    def bound(self) -> float:
        """The largest gain, in size, of a random order: as likely below 0 as above, since reversing it changes sign."""
        return max(abs(one.gain) for one in self.chance)

    @property
    def spread(self) -> float:
        """Standard deviation of the gain of random orders, whose mean is 0."""
        return float(np.sqrt(np.mean([one.gain**2 for one in self.chance])))

    @property
    def risk(self) -> float:
        """How often, at most, a map would be believed if all of them were random orders."""
        return min(1.0, len(self.curves) / (2 * (len(self.chance) + 1)))

    @property
    def best(self) -> str:
        """The map with the largest gain."""
        return max(self.curves, key=lambda name: self.curves[name].gain)

    def beats_chance(self, name: str) -> bool:
        """Say whether the gain of a map is larger than that of every random order, and of every one reversed.

        Args:
            name: of the map.

        Returns:
            Whether it is.
        """
        return self.curves[name].gain > self.bound

    @property
    def believed(self) -> str | None:
        """The map to believe: the best one if it beats chance, otherwise none."""
        return self.best if self.beats_chance(self.best) else None


def measure_faithfulness(
    score: Score,
    image: Images,
    maps: Mapping[str, Tensor | Numbers],
    patch_size: int,
    fill: str = "blur",
    steps: int = STEPS,
    repeats: int | None = None,
    seed: int = 0,
    batch_size: int = 32,
) -> Faithfulness:
    """Take patches from an image, and put them into an empty one, in the order of each map and in random orders.

    Args:
        score: what the model believes.
        image: one, normalised, (1, channels, height, width).
        maps: name → (rows, columns), all of one shape; where numbers are equal, chance decides the order.
        patch_size: side in pixels of what a number of a map stands for.
        fill: row of `FILLS`: what stands where no patch is.
        steps: points of a curve after the first, 1 or more; at most one a patch.
        repeats: random orders, 1 or more; None for as many as let random maps be believed once in 20 images at most:
            10 a map, less 1.
        seed: of the random orders.
        batch_size: images that are made and scored at once.

    Returns:
        The curves.

    Raises:
        ConfigError: if there is no map, maps differ in shape, or a number is out of its range.

    Source:
        Petsiuk, Das and Saenko 2018 (RISE, arXiv 1806.07421), section 4.1, on patches in place of pixels. The paper
        deletes to grey and inserts into a blurred image; here both have the same filling, so that a random order gains
        nothing on average.
    """
    grids = {tuple(np.shape(values)) for values in maps.values()}
    if len(grids) != 1 or len(next(iter(grids))) != 2:
        raise ConfigError(f"maps have shapes {sorted(grids)}; allowed: one shape (rows, columns), of one map or more")
    ((rows, columns),) = grids
    repeats = round(len(maps) / (2 * RISK)) - 1 if repeats is None else repeats
    for name, value in (("steps", steps), ("repeats", repeats), ("batch_size", batch_size)):
        require(value >= 1, name, value, "1 or more")
    count = rows * columns
    orders = [_order(values, seed) for values in maps.values()]
    orders += [permutation(seed, Stream.PATCHES, 1 + number, count) for number in range(repeats)]
    cuts = np.linspace(0, count, min(steps, count) + 1).round().astype(np.int64)
    cuts = np.unique([cuts, count - cuts])  # as many patches gone as come: a reversed order swaps the two curves
    filler = FILLS[fill](image)
    with torch.no_grad():
        made = _compositions(image, filler, orders, cuts[1:-1], (rows, columns), patch_size)
        scores = np.concatenate([_scored(score, part) for part in iter(lambda: list(islice(made, batch_size)), [])])
    full, empty = scores[:2]
    inner = scores[2:].reshape(len(orders), 2, len(cuts) - 2)
    curves = [
        Curves(cuts / count, np.array([full, *deletion, empty]), np.array([empty, *insertion, full]))
        for deletion, insertion in inner
    ]
    return Faithfulness(dict(zip(maps, curves, strict=False)), tuple(curves[len(maps) :]))


def _area(places: Numbers, heights: Numbers) -> float:
    """Give the area under straight lines between points."""
    return float(np.diff(places) @ (heights[1:] + heights[:-1]) / 2)


def _order(values: Tensor | Numbers, seed: int) -> npt.NDArray[np.int64]:
    """Order patches by their numbers, the largest first."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    return np.lexsort((uniform(seed, Stream.PATCHES, 0, np.arange(flat.size), 1)[:, 0], -flat))


def _compositions(
    image: Images, filler: Images, orders: Iterable[npt.NDArray[np.int64]], cuts: npt.NDArray[np.int64], grid: Grid,
    patch_size: int,
) -> Iterator[Images]:  # fmt: skip
    """Give the whole image, the empty one, and for each order those between: on the way of deletion, then insertion."""
    yield image
    yield filler
    height, width = image.shape[2:]
    for order in orders:
        rank = torch.from_numpy(np.argsort(order)).reshape(grid).to(image.device)
        places = rank.repeat_interleave(patch_size, 0).repeat_interleave(patch_size, 1)[:height, :width]
        for under, over in ((image, filler), (filler, image)):
            for cut in cuts.tolist():
                yield torch.where(places < cut, over, under)


def _scored(score: Score, images: list[Images]) -> Numbers:
    return score(torch.cat(images)).double().cpu().numpy()
