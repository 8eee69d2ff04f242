"""Set a part of the samples aside: stratified, and decided by each sample's own name."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from vitrail.core.config import require


def stratified_split(
    labels: npt.NDArray[np.int64], names: Sequence[str], fraction: float, seed: int, salt: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut a fraction of every class, those samples whose (seed, salt, name) hash to the smallest numbers.

    A sample's number depends on nothing but its name, so the order of the samples does not matter and images that
    are added later hardly move the others. Each class gives fraction · n rounded down or up, such that the total is
    right, and keeps at least one sample; one sample is cut even where the total would round to none.

    Args:
        labels: (n,) class of each sample.
        names: n names that stay the same from run to run.
        fraction: part to cut, 0 < fraction < 1.
        seed: seed of the run.
        salt: what the cut is for ("test", "val"), so that two cuts have nothing to do with each other.

    Returns:
        Indices kept and indices cut, both ascending int64. None is cut if no class has two samples.

    Raises:
        ConfigError: for a fraction out of its range.
    """
    require(0 < fraction < 1, "fraction", fraction, "0 < fraction < 1")
    numbers = _numbers(names, seed, salt)
    order = np.lexsort((numbers, labels))
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels.min(initial=0) - 1))
    counts = np.diff(starts, append=len(labels))
    quotas = _quotas(counts, numbers[order[starts]], fraction)
    rank = np.arange(len(labels)) - np.repeat(starts, counts)
    is_cut = np.zeros(len(labels), dtype=bool)
    is_cut[order] = rank < np.repeat(quotas, counts)
    return np.flatnonzero(~is_cut).astype(np.int64), np.flatnonzero(is_cut).astype(np.int64)


def _numbers(names: Sequence[str], seed: int, salt: str) -> npt.NDArray[np.uint64]:
    """Give each name a pseudo-random number; composed and decomposed Unicode spellings get the same."""
    start = hashlib.blake2b(f"{seed}\0{salt}\0".encode(), digest_size=8)
    digests = bytearray()
    for name in names:
        state = start.copy()
        state.update(unicodedata.normalize("NFC", name).encode("utf-8", "surrogatepass"))
        digests += state.digest()
    return np.frombuffer(digests, dtype="<u8")


def _quotas(counts: npt.NDArray[np.int64], tie_break: npt.NDArray[np.uint64], fraction: float) -> npt.NDArray[np.int64]:
    """Share the total among the classes by largest remainder.

    Rounding class by class would cut nothing at all from a hundred classes of two images each.
    """
    quotas: npt.NDArray[np.int64] = np.minimum(np.floor(fraction * counts).astype(np.int64), counts - 1)
    remainders = fraction * counts - quotas
    missing = max(1, round(fraction * counts.sum())) - quotas.sum()
    candidates = np.lexsort((tie_break, -remainders))
    candidates = candidates[(remainders[candidates] > 1e-9) & (quotas[candidates] + 1 < counts[candidates])]
    quotas[candidates[: max(0, missing)]] += 1
    return quotas
