"""Batches: the same whatever the number of workers, every image once an epoch, bad files left out and named."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vitrail.core.errors import DataError
from vitrail.data import loader as loader_module
from vitrail.data import pixels as pixels_module
from vitrail.data.augment import AugmentConfig
from vitrail.data.dataset import Paths, Samples, Traits
from vitrail.data.decode import decode
from vitrail.data.loader import Batch, TrainLoader
from vitrail.data.mixing import MixConfig
from vitrail.data.pixels import load_pixels, stream_pixels
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.data.spec import ImageSpec

SPEC = ImageSpec((8, 12), (0.4, 0.5, 0.6), (0.2, 0.3, 0.4), "bilinear")
CLASSES, COUNT = 5, 43
EVERYTHING = AugmentConfig(
    crop_scale=(0.3, 1.0), flip=True, rotate=10, zoom=0.1, shift=0.1, shear=0.1, brightness=0.2, contrast=0.2,
    rand=RandAugmentConfig(operations=2), erase=0.3,
)  # fmt: skip
MIXED = MixConfig(mixup=0.4, cutmix=1.0, probability=0.8, label_smoothing=0.1)

forked = pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="a patched worker has to be forked")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def level(index: int) -> int:
    """The value of every pixel of image `index` where images are constant."""
    return 5 * index + 7


def write(folder: Path, pixels: Callable[[int], np.ndarray], count: int = COUNT) -> Samples:
    names = [f"{index}.png" for index in range(count)]
    for index, name in enumerate(names):
        Image.fromarray(pixels(index)).save(folder / name)
    return Samples(Paths(str(folder), names), np.arange(count) * 3 % CLASSES, names)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """43 files of noise, of all sizes."""
    generator = np.random.default_rng(5)

    def pixels(index: int) -> np.ndarray:
        return generator.integers(0, 256, (*generator.integers(5, 40, 2), 3), dtype=np.uint8)

    return write(tmp_path_factory.mktemp("noise"), pixels)


@pytest.fixture
def constant(tmp_path: Path) -> Samples:
    """43 files that show their own number, to be damaged."""
    return write(tmp_path, lambda index: np.full((10, 14, 3), level(index), np.uint8))


def make(samples: Samples, **changes: Any) -> TrainLoader:
    fields: dict[str, Any] = {
        "augment": AugmentConfig(), "mix": MixConfig(), "batch_size": 8, "seed": 0, "workers": 0, "memory_limit": 0
    } | changes  # fmt: skip
    return TrainLoader(samples, SPEC, traits=Traits(), num_classes=CLASSES, **fields)


def equal(one: Batch, other: Batch) -> bool:
    return (
        torch.equal(one.images, other.images)
        and torch.equal(one.targets, other.targets)
        and torch.equal(one.labels, other.labels)
        and one.indices.tolist() == other.indices.tolist()
        and one.bad == other.bad
    )


def same(ours: list[Batch], theirs: list[Batch]) -> bool:
    return len(ours) == len(theirs) and all(map(equal, ours, theirs))


def shown(batch: Batch) -> list[int]:
    """Which image each row shows, read from its pixels."""
    means = batch.images.new_tensor(SPEC.mean)[:, None, None]
    levels = (batch.images * batch.images.new_tensor(SPEC.std)[:, None, None] + means) * 255
    assert (levels.amax(dim=(1, 2, 3)) - levels.amin(dim=(1, 2, 3))).max() < 0.01
    return [round((value - 7) / 5) for value in levels.mean(dim=(1, 2, 3)).tolist()]


def test_any_number_of_workers_gives_the_same_batches(noise: Samples) -> None:
    """Crops, flips, turns, RandAugment, erasing, mixup and cutmix included."""
    loaders = [make(noise, augment=EVERYTHING, mix=MIXED, workers=workers) for workers in (0, 1, 4)]
    for epoch in (0, 3):
        alone, *others = [list(loader.epoch(epoch)) for loader in loaders]
        assert len(alone) == 5 and all(batch.images.dtype == torch.float32 for batch in alone)
        for other in others:
            assert same(alone, other)


@pytest.mark.parametrize("limit", [0, 2**30], ids=["files", "memory"])
def test_batches_are_a_function_of_seed_and_epoch(noise: Samples, limit: int) -> None:
    """Neither what was loaded before nor anybody's random state matters."""
    fields = {"augment": EVERYTHING, "mix": MIXED, "memory_limit": limit}
    expected = list(make(noise, **fields).epoch(2))
    used = make(noise, **fields)
    next(used.epoch(1))
    torch.manual_seed(123)
    random.seed(4)
    np.random.seed(5)  # noqa: NPY002
    interleaved = [batch for batch, _ in zip(used.epoch(2), used.epoch(7), strict=True)]

    assert same(interleaved, expected)
    assert not torch.equal(next(used.epoch(3)).images, expected[0].images)
    assert not torch.equal(next(make(noise, seed=1, **fields).epoch(2)).images, expected[0].images)


def test_augmentation_is_a_function_of_the_sample(noise: Samples) -> None:
    """Not of the batch it is in, nor of its place there."""
    by_sample = []
    for batch_size in (8, 13):
        batches = make(noise, augment=EVERYTHING, batch_size=batch_size).epoch(1)
        by_sample.append({i: image for batch in batches for i, image in zip(batch.indices, batch.images, strict=True)})
    assert all(torch.equal(by_sample[0][index], by_sample[1][index]) for index in range(COUNT))


def test_memory_and_files_give_the_same_batches(noise: Samples) -> None:
    """But for random crops, which are taken out of the whole file where it is decoded anew."""
    fields = {
        "augment": AugmentConfig(flip=True, rotate=20, rand=RandAugmentConfig(operations=2), erase=0.2),
        "mix": MIXED,
    }
    files, memory = make(noise, **fields), make(noise, **fields, memory_limit=COUNT * 8 * 12 * 3)

    assert files.pixels is None and memory.pixels is not None and memory.pixels.shape == (COUNT, 8, 12, 3)
    assert make(noise, memory_limit=COUNT * 8 * 12 * 3 - 1).pixels is None
    assert same(list(memory.epoch(1)), list(files.epoch(1)))


@pytest.mark.parametrize("limit", [0, 2**30], ids=["files", "memory"])
def test_without_augmentation_a_batch_is_what_the_spec_says(noise: Samples, limit: int) -> None:
    batch = next(make(noise, memory_limit=limit).epoch(0))
    expected = SPEC.normalise(np.stack([SPEC.pixels(decode(noise.image(index))) for index in batch.indices]))

    assert torch.allclose(batch.images, torch.from_numpy(expected), atol=1e-5)
    assert batch.labels.tolist() == noise.labels[batch.indices].tolist()
    assert torch.equal(batch.targets, torch.eye(CLASSES)[batch.labels])


@pytest.mark.parametrize("batch_size", [1, 7, 8, 43, 50, 100])
def test_each_sample_once_an_epoch(constant: Samples, batch_size: int) -> None:
    loader = make(constant, batch_size=batch_size, memory_limit=2**30)
    orders = []
    for epoch in range(3):
        batches = list(loader.epoch(epoch))
        sizes = [len(batch.images) for batch in batches]
        order = [index for batch in batches for index in batch.indices.tolist()]
        assert len(batches) == loader.steps_per_epoch and max(sizes) - min(sizes) <= 1
        assert abs(max(sizes) - min(batch_size, COUNT)) <= 1 + batch_size // 8
        assert sorted(order) == list(range(COUNT))
        assert [number for batch in batches for number in shown(batch)] == order
        assert all((batch.labels.numpy() == constant.labels[batch.indices]).all() for batch in batches)
        orders.append(order)

    other = [index for batch in make(constant, batch_size=batch_size, seed=1).epoch(0) for index in batch.indices]
    assert orders[0] != orders[1] != orders[2] != orders[0] and other != orders[0]
    assert orders[0] != sorted(orders[0])


@pytest.mark.parametrize(("limit", "workers"), [(0, 0), (0, 2), (2**30, 0)], ids=["files", "workers", "memory"])
def test_going_on_from_a_step(noise: Samples, limit: int, workers: int) -> None:
    loader = make(noise, augment=EVERYTHING, mix=MIXED, memory_limit=limit, workers=workers)
    whole = list(loader.epoch(1))

    for first in (1, 4) if workers == 0 else (2,):
        assert same(list(loader.epoch(1, first)), whole[first:])
    assert list(loader.epoch(1, 5)) == []


def damage(samples: Samples, *indices: int) -> None:
    """Spoil files such that their header already tells."""
    kinds: tuple[bytes, ...] = (b"", b"no image at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    for number, index in enumerate(indices):
        path = Path(str(samples.image(index)))
        path.unlink() if number == 3 else path.write_bytes(kinds[number % 3])


def cut(samples: Samples, *indices: int) -> None:
    """Spoil files such that only decoding tells: the header is whole, the pixels are not."""
    for index in indices:
        path = Path(str(samples.image(index)))
        path.write_bytes(path.read_bytes()[:45])


KINDS = pytest.mark.parametrize(("limit", "workers"), [(0, 0), (0, 1), (2**30, 0)], ids=["files", "worker", "memory"])


@KINDS
def test_bad_files_are_left_out_and_named(constant: Samples, limit: int, workers: int) -> None:
    wrong, wrong_inside = [0, 9, 20, 21, 42], [3, 30]
    whole = list(make(constant).epoch(0))
    damage(constant, *wrong)
    cut(constant, *wrong_inside)
    loader = make(constant, memory_limit=limit, workers=workers)
    at_once = sorted(wrong + wrong_inside) if limit else wrong
    assert sorted(loader.bad) == at_once and loader.usable.sum() == COUNT - len(at_once)

    for epoch in range(2):
        batches = list(loader.epoch(epoch))
        assert len(batches) == len(whole) == loader.steps_per_epoch
        for batch in batches:
            assert shown(batch) == batch.indices.tolist()
            assert batch.labels.tolist() == constant.labels[batch.indices].tolist()
            assert len(batch.images) == len(batch.targets) == len(batch.indices) > 0
        seen = sorted(index for batch in batches for index in batch.indices.tolist())
        assert seen == [index for index in range(COUNT) if index not in wrong + wrong_inside]
        named = sorted(file.index for batch in batches for file in batch.bad)
        assert named == ([] if limit else wrong_inside)
        if epoch == 0:
            rest = [[index for index in batch.indices if index in seen] for batch in whole]
            assert [batch.indices.tolist() for batch in batches] == rest, "no other image moves"

    assert sorted(loader.bad) == sorted(wrong + wrong_inside)
    for index, file in loader.bad.items():
        assert file.index == index and file.name == f"{index}.png" and f"{index}.png: " in file.reason
    assert "no such file" in loader.bad[21].reason and "not an image" in loader.bad[9].reason


def test_with_bad_files_too_memory_files_and_workers_give_the_same_batches(noise: Samples, tmp_path: Path) -> None:
    names = [f"{index}.png" for index in range(COUNT)]
    for index, name in enumerate(names):
        (tmp_path / name).write_bytes(Path(str(noise.image(index))).read_bytes())
    copies = Samples(Paths(str(tmp_path), names), noise.labels, names)
    damage(copies, 5, 6, 7)
    cut(copies, 11, 12, 13)
    rand = RandAugmentConfig("timm", 2, 9, 0.5)
    fields = {
        "augment": AugmentConfig(flip=True, rotate=20, rand=rand, erase=0.2, erase_fill="noise"),
        "mix": MIXED,
        "batch_size": 4,
    }
    memory, *others = [
        list(make(copies, memory_limit=limit, workers=workers, **fields).epoch(1))
        for limit, workers in ((2**30, 0), (0, 0), (0, 2))
    ]
    assert same(others[0], others[1]) and sum(len(batch.bad) for batch in others[0]) == 3
    assert same([replace(batch, bad=()) for batch in others[0]], memory)
    late = list(make(copies, workers=0, **fields).epoch(1, 7))
    assert same(late, others[0][7:])


@KINDS
def test_a_batch_of_bad_files_alone_is_empty(constant: Samples, limit: int, workers: int) -> None:
    """The step counts, so that whoever goes on from a checkpoint finds the same batches."""
    second = list(make(constant).epoch(0))[1].indices.tolist()
    cut(constant, *second)
    loader = make(constant, memory_limit=limit, workers=workers, mix=MIXED, augment=EVERYTHING)
    batches = list(loader.epoch(0))
    assert [len(batch.images) for batch in batches][1] == 0 and len(batches) == 5
    assert batches[1].images.shape == (0, 3, 8, 12) and batches[1].targets.shape == (0, CLASSES)
    assert sorted(loader.bad) == sorted(second)
    assert all(len(batch.images) for number, batch in enumerate(batches) if number != 1)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_vanishes_between_epochs_is_named(constant: Samples, workers: int) -> None:
    loader = make(constant, workers=workers)
    assert all(not batch.bad for batch in loader.epoch(0))
    Path(str(constant.image(17))).unlink()
    cut(constant, 18)
    batches = list(loader.epoch(1))
    assert sorted(file.index for batch in batches for file in batch.bad) == [17, 18]
    assert sorted(index for batch in batches for index in batch.indices) == [
        n for n in range(COUNT) if n not in (17, 18)
    ]
    assert "no such file" in loader.bad[17].reason and loader.bad[18].name == "18.png"


def test_all_bad_in_memory(constant: Samples) -> None:
    damage(constant, *range(COUNT))
    with pytest.raises(DataError, match="not one of the 43 training images can be used; the first: .*0.png") as caught:
        make(constant, memory_limit=2**30)
    assert "allowed formats" in caught.value.hint


@pytest.mark.parametrize("workers", [0, 1])
def test_all_bad_as_files(constant: Samples, workers: int) -> None:
    cut(constant, *range(COUNT))
    with pytest.raises(DataError, match="not one of the 43 training images can be used; the first: .*0.png"):
        list(make(constant, workers=workers).epoch(0))
    damage(constant, *range(COUNT))
    with pytest.raises(DataError, match="not one of the 43 training images can be used; the first: .*0.png"):
        make(constant, workers=workers)


def test_a_set_in_memory() -> None:
    """An array is used as it is; its images may have another size than the model's."""
    pixels = np.full((30, 5, 4, 3), 0, np.uint8) + np.arange(30, dtype=np.uint8)[:, None, None, None] * 5 + 7
    samples = Samples(pixels.astype(np.uint8), np.arange(30) % CLASSES, [f"a/{index}" for index in range(30)])
    for limit in (0, 2**30):
        batches = list(make(samples, memory_limit=limit).epoch(0))
        assert sorted(index for batch in batches for index in batch.indices) == list(range(30))
        assert all(shown(batch) == batch.indices.tolist() for batch in batches)


def test_random_crops_of_files_keep_their_aspect(tmp_path: Path) -> None:
    """Red is the column and green the row, so a crop says where it was taken, whatever the file's own aspect."""
    for shape in ((100, 200), (200, 60)):
        rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.uint8)
        Image.fromarray(np.stack([columns, rows, rows], axis=2)).save(tmp_path / "one.png")
        samples = Samples([str(tmp_path / "one.png")], np.zeros(1, np.int64), ["one.png"])
        config = AugmentConfig(crop_scale=(0.2, 0.6), crop_ratio=0.6)
        spec = ImageSpec((20, 40), (0.0,) * 3, (1.0,) * 3, "bilinear", "crop")
        loader = TrainLoader(samples, spec, config, MixConfig(), Traits(), 2, 1, 0, workers=0, memory_limit=0)
        crops = [next(loader.epoch(epoch)).images[0] * 255 for epoch in range(60)]
        width = torch.stack([crop[0].max() - crop[0].min() for crop in crops]) * 40 / 39
        height = torch.stack([crop[1].max() - crop[1].min() for crop in crops]) * 20 / 19
        aspects, areas = width / height / 2, width * height / (shape[0] * shape[1])

        assert aspects.min() > 0.57 and aspects.max() < 1.76
        assert aspects.min() < 0.75 and aspects.max() > 1.33, "and they do vary"
        assert areas.max() < 0.63 and areas.min() > (0.18 if shape[0] == 100 else 0.05)
        left = torch.stack([crop[0].min() for crop in crops])
        assert left.min() < 0.25 * shape[1] and (left + width).max() > 0.75 * shape[1]


def test_crops_are_pillows() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8))
    pixels, good, bad = load_pixels([image], SPEC, lambda position, aspect: np.array([0.1, 0.2, 0.5, 0.6]))
    expected = image.resize((12, 8), Image.Resampling.BILINEAR, box=(10.0, 3.0, 40.0, 18.0))

    assert (pixels[0] == np.asarray(expected)).all() and (good, bad) == ([0], [])
    tiny = Image.new("RGB", (2, 1), (3, 4, 5))
    crops = np.array([[0.0, 0.6, 0.3, 0.1], [0.7, 0.5, 0.3, 0.5], [0.0, 1 - 1e-9, 1.0, 1e-6]])
    pixels = load_pixels([tiny] * 3, SPEC, lambda position, aspect: crops[position])[0]
    assert len(pixels) == 3 and (np.stack(pixels) == [3, 4, 5]).all(), "parts of less than a pixel"


def test_file_batches_can_be_sent_to_a_spawned_worker(noise: Samples) -> None:
    batches = [np.array([3, 1]), np.array([2])]
    source = loader_module._FileBatches(noise, SPEC, EVERYTHING, 0, 1, batches)
    sent = pickle.loads(pickle.dumps(source))

    assert len(sent) == 2
    assert (sent[0][0] == source[0][0]).all() and sent[0][1].tolist() == [3, 1]


@forked
@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_that_dies(noise: Samples, monkeypatch: pytest.MonkeyPatch, busy: bool) -> None:
    """The error comes where the batch is asked for, not out of whatever the program is doing when the worker dies."""
    fatal = noise.image(int(next(iter(list(make(noise).epoch(0))[2].indices))))

    def deadly(source: Any) -> Image.Image:
        if source == fatal and multiprocessing.parent_process() is not None:
            os._exit(9)
        return decode(source)

    monkeypatch.setattr(pixels_module, "decode", deadly)
    before = signal.getsignal(signal.SIGCHLD)
    batches = make(noise, workers=1).epoch(0)
    clock = time.perf_counter()
    next(batches)
    if busy:
        time.sleep(0.5)
    with pytest.raises(DataError, match="a loader worker died") as caught:
        list(batches)
    assert time.perf_counter() - clock < 20
    assert "memory" in caught.value.hint
    assert signal.getsignal(signal.SIGCHLD) == before


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset"), EOFError(), FileNotFoundError(2, "torch_1")])
def test_a_worker_that_dies_while_it_sends(noise: Samples, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Its pixels cannot be fetched any more, which torch does not explain."""

    def broken(source: Any, workers: int) -> Iterator[Any]:
        yield source[0]
        raise error

    monkeypatch.setattr(loader_module, "_start", broken)
    batches = make(noise, workers=1).epoch(0)
    next(batches)
    with pytest.raises(DataError, match="a loader worker died"):
        next(batches)


def test_an_error_that_is_no_workers_death_is_not_renamed(noise: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source: Any) -> Image.Image:
        raise RuntimeError("a worker bee")

    monkeypatch.setattr(pixels_module, "decode", broken)
    with pytest.raises(RuntimeError, match="a worker bee"):
        next(make(noise).epoch(0))


def test_workers_can_be_started_outside_of_the_main_thread(noise: Samples) -> None:
    found: list[Batch] = []
    thread = threading.Thread(target=lambda: found.extend(make(noise, workers=1).epoch(0)))
    thread.start()
    thread.join()
    assert same(found, list(make(noise).epoch(0)))


def test_no_process_is_left_when_an_epoch_is_left_early(noise: Samples) -> None:
    batches = make(noise, workers=2).epoch(0)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    batches.close()  # type: ignore[attr-defined]
    assert multiprocessing.active_children() == []


def collected(parts: Iterator[tuple[int, list[np.ndarray], list[int], list[tuple[int, str]]]]) -> tuple[Any, ...]:
    """Put streamed batches together: pixels, numbers of the good, (number, reason) of the bad, starts."""
    starts, pixels, good, bad = [], [np.empty((0, 8, 12, 3), np.uint8)], [], []
    for start, some, places, failed in parts:
        starts.append(start)
        pixels += [image[None] for image in some]
        good += [start + place for place in places]
        bad += [(start + place, reason) for place, reason in failed]
    return np.concatenate(pixels), good, bad, starts


@pytest.mark.parametrize("threads", [1, 3, 8])
@pytest.mark.parametrize("batch_size", [1, 4, 10, 43, 100])
def test_streaming_is_loading(constant: Samples, batch_size: int, threads: int) -> None:
    damage(constant, 0, 5, 17, 42)
    pixels, good, bad = load_pixels(constant.images, SPEC)
    streamed = collected(stream_pixels(constant.images, SPEC, batch_size, threads))

    assert (streamed[0] == np.stack(pixels)).all() and streamed[1:3] == (good, bad)
    assert streamed[3] == list(range(0, COUNT, batch_size))
    assert [image[0, 0, 0] for image in pixels] == [level(index) for index in good]
    assert [number for number, _ in bad] == [0, 5, 17, 42] and len(good) == COUNT - 4


def test_streaming_arrays_and_nothing() -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 8, 12, 3), dtype=np.uint8)
    for images in (array, list(array)):
        pixels, good, bad, starts = collected(stream_pixels(images, SPEC, 4))
        assert (pixels == array).all() and good == list(range(9)) and bad == [] and starts == [0, 4, 8]
    for images in ([], array[:0]):
        assert list(stream_pixels(images, SPEC, 4)) == []
        assert load_pixels(images, SPEC) == ([], [], [])


def test_streaming_keeps_the_order_whatever_takes_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [Image.new("RGB", (12, 8), (index, index, index)) for index in range(24)]
    delays = np.random.default_rng(0).random(24) * 0.02

    def slow(source: Image.Image) -> Image.Image:
        time.sleep(delays[source.getpixel((0, 0))[0]])  # type: ignore[index]
        return source

    monkeypatch.setattr(pixels_module, "decode", slow)
    pixels, good, _, _ = collected(stream_pixels(images, SPEC, 7, threads=4))
    assert pixels[:, 0, 0, 0].tolist() == good == list(range(24))


def test_streaming_is_at_most_two_batches_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    images = [Image.new("RGB", (12, 8), (index, 0, 0)) for index in range(200)]
    decoded: list[int] = []

    def noted(source: Image.Image) -> Image.Image:
        decoded.append(source.getpixel((0, 0))[0])  # type: ignore[index]
        return source

    monkeypatch.setattr(pixels_module, "decode", noted)
    ahead = []
    for start, *_ in stream_pixels(images, SPEC, 10, threads=4):
        time.sleep(0.02)
        ahead.append(max(decoded) - start)
    assert sorted(decoded) == list(range(200))
    assert 19 <= max(ahead) <= 29, "the batch itself and two more"


def test_an_error_while_streaming_reaches_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(source: Any) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(pixels_module, "decode", broken)
    with pytest.raises(MemoryError):
        list(stream_pixels([b"", b""], SPEC, 2))
