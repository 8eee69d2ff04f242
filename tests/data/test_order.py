"""The order of an epoch: a function of (seed, epoch), each image once unless asked otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from vitrail.core.seeding import Stream, permutation
from vitrail.data.augment import AugmentConfig
from vitrail.data.dataset import Samples, Traits
from vitrail.data.loader import TrainLoader
from vitrail.data.mixing import MixConfig
from vitrail.data.order import OrderConfig, epoch_order
from vitrail.data.spec import ImageSpec

LABELS = np.repeat([0, 1, 2], [80, 15, 5]).astype(np.int64)


def test_each_image_once_where_nothing_is_said() -> None:
    assert np.array_equal(epoch_order(OrderConfig(), LABELS, 3, 2), permutation(3, Stream.ORDER, 2, 100))


@pytest.mark.parametrize(
    ("balance", "shares"), [(1.0, [1 / 3] * 3), (0.5, np.sqrt([80, 15, 5]) / np.sqrt([80, 15, 5]).sum())]
)
def test_classes_are_shown_as_often_as_asked(balance: float, shares: list[float]) -> None:
    images = epoch_order(OrderConfig(balance), LABELS, 0, 0) % 100
    counts = np.bincount(LABELS[images], minlength=3)
    assert len(images) == 100 and np.abs(counts - 100 * np.asarray(shares)).max() <= 1, "rounding aside"
    times = np.bincount(images, minlength=100)
    for label in range(3):
        of_class = times[label == LABELS]
        assert of_class.max() - of_class.min() <= 1, "every image of a class as often as any other"


def test_over_epochs_every_image_is_shown() -> None:
    seen = np.concatenate([epoch_order(OrderConfig(1.0), LABELS, 0, epoch) % 100 for epoch in range(40)])
    assert len(np.unique(seen)) == 100


def test_a_function_of_seed_and_epoch() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return epoch_order(OrderConfig(1.0, 2), LABELS, seed, epoch).tolist()

    assert order(1, 1) == order(1, 1)
    assert order(1, 1) != order(1, 2) != order(2, 1)


def test_copies_stand_beside_each_other_and_are_told_apart() -> None:
    places = epoch_order(OrderConfig(repeats=3), LABELS, 0, 0)
    assert np.array_equal(places % 100, np.repeat(permutation(0, Stream.ORDER, 0, 100), 3)[:100])
    assert np.array_equal(places // 100, np.tile([0, 1, 2], 34)[:100])
    assert len(np.unique(epoch_order(OrderConfig(1.0, 2), LABELS, 0, 0))) == 100


@pytest.mark.parametrize("memory", [2**20, 0])
def test_each_copy_is_varied_in_its_own_way(memory: int, tmp_path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    samples = Samples(pixels, np.array([0, 0, 0, 1]), list("abcd"))
    spec = ImageSpec((8, 8), (0.5,), (0.5,), color="L")

    def batch(order: OrderConfig):
        augment = AugmentConfig(crop_scale=(0.3, 0.6))
        loader = TrainLoader(samples, spec, augment, MixConfig(), Traits(), 2, 4, 0, 0, memory, order)
        return next(iter(loader.epoch(0)))

    twice = batch(OrderConfig(repeats=2))
    once = batch(OrderConfig())
    assert twice.indices[0] == twice.indices[1] == once.indices[0] and not twice.images[0].equal(twice.images[1])
    assert twice.images[0].equal(once.images[0]), "the first copy is as ever"
    assert twice.labels.tolist() == samples.labels[twice.indices].tolist()
