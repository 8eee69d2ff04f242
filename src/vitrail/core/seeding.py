"""Counter-based randomness: every number is a pure function of (seed, stream, epoch, index).

Nothing has a state, so the order in which samples are visited, the number of loader workers and an interruption
change nothing. The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
written for whole arrays of counters at once.
"""

from __future__ import annotations

import enum

import numpy as np
import numpy.typing as npt

_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


class Stream(enum.IntEnum):
    """Name what a draw is for, so that no two purposes share numbers."""

    INIT = 0
    SPLIT = 1
    ORDER = 2
    AUGMENT = 3
    MIX = 4
    STEP = 5
    SELECT = 6
    BALANCE = 7
    PATCHES = 8


def philox(counter: npt.NDArray[np.uint64], key: tuple[int, int]) -> npt.NDArray[np.uint64]:
    """Turn counters into random words by ten rounds of Philox4x32.

    Args:
        counter: (n, 4), each word below 2**32.
        key: two words below 2**32.

    Returns:
        (n, 4) uint64, each word below 2**32.

    Source:
        Salmon et al. 2011, section 4.3; tested against the known answers of their Random123 library.
    """
    c0, c1, c2, c3 = (counter[:, word] for word in range(4))
    key0, key1 = key
    for _ in range(10):
        product0, product1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            (product1 >> _SHIFT) ^ c1 ^ np.uint64(key0),
            product1 & _LOW,
            (product0 >> _SHIFT) ^ c3 ^ np.uint64(key1),
            product0 & _LOW,
        )
        key0, key1 = (key0 + _WEYL[0]) & 0xFFFFFFFF, (key1 + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([c0, c1, c2, c3], axis=1)


def uniform(seed: int, stream: Stream, epoch: int, index: npt.ArrayLike, count: int) -> npt.NDArray[np.float64]:
    """Draw `count` uniform numbers for each index.

    Args:
        seed: seed of the run, 0 ≤ seed < 2**64.
        stream: what the numbers are for.
        epoch: epoch (or any other outer counter), 0 ≤ epoch < 2**32.
        index: (n,) sample or step numbers, 0 ≤ index < 2**32.
        count: how many numbers an index gets, at most 2**18.

    Returns:
        (n, count) float64 in [0, 1), with 53 random bits.
    """
    indices = np.atleast_1d(np.asarray(index, dtype=np.uint64))
    blocks = (count + 1) // 2
    counter = np.empty((len(indices), blocks, 4), dtype=np.uint64)
    counter[..., 0] = indices[:, None]
    counter[..., 1] = np.arange(blocks, dtype=np.uint64)
    counter[..., 2] = np.uint64(epoch)
    counter[..., 3] = np.uint64(stream)
    words = philox(counter.reshape(-1, 4), (seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF)).reshape(-1, 2)
    high, low = words[:, 0] >> np.uint64(5), words[:, 1] >> np.uint64(6)
    numbers = (high.astype(np.float64) * 2.0**26 + low.astype(np.float64)) * 2.0**-53
    return numbers.reshape(len(indices), 2 * blocks)[:, :count]


def permutation(seed: int, stream: Stream, epoch: int, n: int) -> npt.NDArray[np.int64]:
    """Shuffle 0 … n−1 as a function of (seed, stream, epoch).

    Args:
        seed: seed of the run.
        stream: what the order is for.
        epoch: epoch number.
        n: how many.

    Returns:
        (n,) int64.
    """
    return np.argsort(uniform(seed, stream, epoch, np.arange(n), 1)[:, 0], kind="stable").astype(np.int64)


def derived_seed(seed: int, stream: Stream, *counters: int) -> int:
    """Make a seed for a generator that is not ours, such as torch's before one step.

    Args:
        seed: seed of the run.
        stream: what it is for.
        counters: up to two further counters, such as (epoch, step).

    Returns:
        0 ≤ seed < 2**53.
    """
    epoch, index = (*counters, 0, 0)[:2]
    return int(uniform(seed, stream, epoch, [index], 1)[0, 0] * 2**53)
