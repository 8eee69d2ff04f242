"""Batches side by side: the same answers in the same order, whatever takes longest, and threads left as they were."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

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
    for good, rows, bad in stream_outputs(mean_level, SPEC, *arguments):
        assert len(good) == len(rows)
        numbers += good
        outputs += rows.reshape(-1).tolist()
        failed += [number for number, _ in bad]
    return numbers, outputs, failed


@pytest.mark.parametrize("workers", [0, 1, 2, 5])
@pytest.mark.parametrize(("count", "size"), [(0, 4), (3, 4), (4, 4), (5, 4), (37, 4), (37, 1), (37, 100)])
def test_any_number_of_workers_gives_the_same(workers, count, size):
    bad = {0, 1, 2, 3, 20, 36} & set(range(count))
    good = [number for number in range(count) if number not in bad]
    for given in (images(count, bad), iter(images(count, bad))):
        assert collected(given, size, workers) == (good, good, sorted(bad))


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

    for good, _, _ in stream_outputs(mean_level, SPEC, given(), 5, 3):
        assert len(asked) <= good[-1] + 1 + 5 * 4


def test_an_error_of_the_model_reaches_the_caller():
    def engine(batch):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(stream_outputs(engine, SPEC, images(20), 2, 3))
