"""Philox against the known answers of Random123, and what is built on it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.core.seeding import Stream, derived_seed, permutation, philox, uniform

WORD = st.integers(0, 2**32 - 1)
SEED = st.integers(0, 2**64 - 1)
STREAM = st.sampled_from(list(Stream))

KNOWN_ANSWERS = {
    "zeros": ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    "ones": ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    "pi": ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
}


def words(text):
    return [int(word, 16) for word in text.split()]


def philox_by_hand(counter, key):
    """Salmon et al. 2011, section 4.3, one counter at a time, in Python's own integers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
    return [c0, c1, c2, c3]


@pytest.mark.parametrize("name", KNOWN_ANSWERS)
def test_known_answers(name):
    counter, key, answer = (words(text) for text in KNOWN_ANSWERS[name])
    assert philox(np.array([counter], dtype=np.uint64), (key[0], key[1])).tolist() == [answer]


def test_known_answers_all_at_once_for_one_key():
    counters = np.array([words(counter) for counter, _, _ in KNOWN_ANSWERS.values()], dtype=np.uint64)
    expected = [philox_by_hand(counter, (0, 0)) for counter in counters.tolist()]
    assert philox(counters, (0, 0)).tolist() == expected


@given(counters=st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=8), key=st.tuples(WORD, WORD))
def test_vectorised_is_one_by_one(counters, key):
    array = np.array(counters, dtype=np.uint64)
    before = array.copy()
    together = philox(array, key)
    assert together.tolist() == [philox_by_hand(counter, key) for counter in counters]
    assert (array == before).all(), "the counters must not be changed"


@given(seed=SEED, stream=STREAM, epoch=WORD, index=st.lists(WORD, min_size=1, max_size=6), count=st.integers(1, 7))
def test_a_number_depends_on_its_own_index_only(seed, stream, epoch, index, count):
    together = uniform(seed, stream, epoch, index, count)
    assert together.shape == (len(index), count)
    assert together.dtype == np.float64
    assert ((together >= 0) & (together < 1)).all()
    for row, one in zip(together, index, strict=True):
        assert uniform(seed, stream, epoch, one, count).tolist() == [row.tolist()]
    assert uniform(seed, stream, epoch, index, count + 3)[:, :count].tolist() == together.tolist()


def test_the_bits_are_those_of_philox():
    """53 bits: 27 of the first word above 26 of the second, as numpy's own generators do."""
    seed, epoch, index = 0xA4093822_299F31D0, 7, 12345
    number = uniform(seed, Stream.MIX, epoch, index, 4)[0]
    blocks = [philox_by_hand((index, block, epoch, Stream.MIX), (0x299F31D0, 0xA4093822)) for block in (0, 1)]
    expected = [((high >> 5) * 2**26 + (low >> 6)) / 2**53 for w in blocks for high, low in (w[:2], w[2:])]
    assert number.tolist() == expected


@pytest.mark.parametrize(
    "other",
    [(1, Stream.ORDER, 0), (2**32, Stream.ORDER, 0), (0, Stream.AUGMENT, 0), (0, Stream.ORDER, 1)],
    ids=["seed", "high word of the seed", "stream", "epoch"],
)
def test_seed_stream_and_epoch_matter(other):
    assert (uniform(0, Stream.ORDER, 0, range(100), 2) != uniform(*other, range(100), 2)).all()


def test_streams_keep_their_numbers():
    """A run that is resumed after an update must draw the same numbers."""
    assert {stream.name: int(stream) for stream in Stream} == {
        "INIT": 0, "SPLIT": 1, "ORDER": 2, "AUGMENT": 3, "MIX": 4, "STEP": 5, "SELECT": 6, "BALANCE": 7, "PATCHES": 8,
    }  # fmt: skip


def test_uniformity():
    numbers = uniform(0, Stream.AUGMENT, 0, np.arange(50_000), 4)
    n = numbers.size
    counts, _ = np.histogram(numbers, bins=100, range=(0, 1))
    chi_squared = ((counts - n / 100) ** 2 / (n / 100)).sum()
    assert 50 < chi_squared < 160, "99 degrees of freedom: mean 99, standard deviation 14"
    assert abs(numbers.mean() - 0.5) < 4 * (1 / 12 / n) ** 0.5
    correlations = np.corrcoef(numbers.T)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() < 4 / 50_000**0.5
    assert abs(np.corrcoef(numbers[:-1, 0], numbers[1:, 0])[0, 1]) < 4 / 50_000**0.5
    assert len(np.unique(numbers)) == n


@settings(max_examples=50)
@given(seed=SEED, stream=STREAM, epoch=WORD, n=st.integers(0, 300))
def test_a_permutation_is_one_and_repeats(seed, stream, epoch, n):
    order = permutation(seed, stream, epoch, n)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(n))
    assert order.tolist() == permutation(seed, stream, epoch, n).tolist()


def test_permutations_are_even():
    """Each of the 24 orders of four things comes up equally often."""
    orders = [tuple(permutation(3, Stream.ORDER, epoch, 4).tolist()) for epoch in range(4800)]
    counts = np.array([orders.count(order) for order in set(orders)])
    assert len(counts) == 24
    assert ((counts - 200) ** 2 / 200).sum() < 60, "23 degrees of freedom: mean 23, standard deviation 7"


def test_derived_seeds_differ_in_everything_they_are_made_from():
    made = [
        derived_seed(seed, stream, *counters)
        for seed in (0, 1)
        for stream in (Stream.INIT, Stream.STEP)
        for counters in ((), (1,), (0, 1), (1, 1), (1, 2))
    ]
    assert len(set(made)) == len(made)
    assert all(0 <= seed < 2**53 for seed in made)
    assert derived_seed(0, Stream.STEP, 0) == derived_seed(0, Stream.STEP) == derived_seed(0, Stream.STEP, 0, 0)
