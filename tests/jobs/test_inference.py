"""Batches side by side: the same answers in the same order, whatever takes longest, and threads left as they were."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from vitrail.data.spec import ImageSpec
from vitrail.jobs.device import choose_workers
from vitrail.jobs.inference import stream_outputs

SPEC = ImageSpec((4, 4), (0.5,), (0.5,), color="L")


def images(count, bad=()):
    return [b"broken" if number in bad else np.full((4, 4), number, dtype=np.uint8) for number in range(count)]


def mean_level(batch):
    """Stand for a model: the level of each image; the darker the first image, the longer it takes."""
    time.sleep(0.01 * float(1 - batch[0].mean()))
    return ((batch.mean(dim=(1, 2, 3)) * 0.5 + 0.5) * 255).round()[:, None]


def collected(*arguments):
    numbers, outputs, failed = [], [], []
    for batch in stream_outputs(mean_level, SPEC, *arguments):
        assert len(batch.good) == len(batch.outputs) == len(batch.sizes)
        numbers += batch.good
        outputs += [float(row[0]) for row in batch.outputs]
        failed += [number for number, _ in batch.bad]
    return numbers, outputs, failed


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
@pytest.mark.parametrize(("count", "size"), [(0, 4), (3, 4), (4, 4), (5, 4), (37, 4), (37, 1), (37, 100)])
def test_any_number_of_workers_gives_the_same(workers, count, size):
    bad = {0, 1, 2, 3, 20, 36} & set(range(count))
    good = [number for number in range(count) if number not in bad]
    for given in (images(count, bad), iter(images(count, bad))):
        assert collected(given, size, workers) == (good, good, sorted(bad))


@settings(max_examples=40)
@drawn(
    shapes=st.lists(st.one_of(st.none(), st.tuples(st.integers(1, 40), st.integers(1, 40))), max_size=30),
    size=st.integers(1, 12),
    workers=st.integers(0, 3),
)
def test_images_of_several_shapes_stay_in_order(shapes, size, workers):
    """Images that keep their aspect: each gets the answer it gets alone, and none is dropped, whatever the batch."""
    given = [
        b"broken" if shape is None else np.full(shape, number, dtype=np.uint8) for number, shape in enumerate(shapes)
    ]
    spec = ImageSpec((12, 12), (0.0,), (1 / 255,), mode="keep", color="L", multiple=2)
    ran = []

    def engine(batch):
        ran.append(tuple(batch.shape))
        return torch.stack([batch.mean(dim=(1, 2, 3)).round(), batch[:, 0, 0].sum(dim=1)], dim=1)

    batches = list(stream_outputs(engine, spec, given, size, workers))
    numbers = [number for batch in batches for number in batch.good]
    rows = [row.tolist() for batch in batches for row in batch.outputs]
    sizes = [one for batch in batches for one in batch.sizes]
    expected = [spec.size_for(*shape[::-1]) for shape in shapes if shape is not None]
    assert numbers == [number for number, shape in enumerate(shapes) if shape is not None]
    assert sizes == expected
    assert rows == [[number, number * width] for number, (_, width) in zip(numbers, expected, strict=True)]
    assert [number for batch in batches for number, _ in batch.bad] == [n for n, s in enumerate(shapes) if s is None]
    assert all(height * width <= 144 and count <= size for count, _, height, width in ran)


def test_images_of_one_shape_run_together():
    spec = ImageSpec((12, 12), (0.0,), (1.0,), mode="keep", color="L", multiple=2)
    given = [np.zeros(shape, dtype=np.uint8) for shape in [(30, 30), (10, 40), (31, 31), (40, 10), (20, 80)] * 4]
    ran = []

    def engine(batch):
        ran.append(tuple(batch.shape))
        return batch.mean(dim=(1, 2, 3))[:, None]

    list(stream_outputs(engine, spec, given, 10))
    assert ran == [(4, 1, 12, 12), (4, 1, 6, 24), (2, 1, 24, 6)] * 2


def test_threads_are_shared_and_left_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    seen = []

    def engine(batch):
        seen.append(torch.get_num_threads())
        return batch.mean(dim=(1, 2, 3))[:, None]

    try:
        list(stream_outputs(engine, SPEC, images(8), 2, 2))
        assert seen == [2] * 4
        assert torch.get_num_threads() == 4
        assert choose_workers(torch.device("cpu")) == 4
        assert choose_workers(torch.device("cuda")) == 0
        stream = stream_outputs(engine, SPEC, images(100), 2, 2)
        next(stream)
        stream.close()
        assert torch.get_num_threads() == 4
        seen.clear()
        list(stream_outputs(engine, SPEC, images(2), 2, 2))
        assert seen == [4], "a single batch has all threads"
    finally:
        torch.set_num_threads(before)


def test_images_are_asked_for_a_few_batches_ahead():
    asked = []

    def given():
        for number, image in enumerate(images(200)):
            asked.append(number)
            yield image

    for batch in stream_outputs(mean_level, SPEC, given(), 5, 3):
        assert len(asked) <= batch.good[-1] + 1 + 5 * 4


def test_an_error_of_the_model_reaches_the_caller():
    def engine(batch):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(stream_outputs(engine, SPEC, images(20), 2, 3))
