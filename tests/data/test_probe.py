"""The first look at a split: size, colour, and which images are looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitrail.core.errors import DataError
from vitrail.data import probe as probe_module
from vitrail.data.dataset import Samples
from vitrail.data.decode import decode
from vitrail.data.probe import Probe, probe_images


def samples(images: Any) -> Samples:
    return Samples(images, np.zeros(len(images), np.int64), [str(index) for index in range(len(images))])


def pictures(*sizes: tuple[int, int], mode: str = "L") -> Samples:
    return samples([Image.new(mode, size) for size in sizes])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_median_of_the_shorter_side(mode: str) -> None:
    probe = probe_images(pictures((30, 10), (12, 40), (20, 20), (90, 80), (500, 600), mode=mode))
    assert probe == Probe(side=20, channels=len(mode), checked=5)


def test_one_coloured_image_is_enough() -> None:
    images = [Image.new("L", (9, 9)) for _ in range(9)]
    assert probe_images(samples(images)).kind == "grey"
    assert probe_images(samples([*images, Image.new("RGB", (9, 9))])).kind == "colour"


def test_a_set_in_memory() -> None:
    assert probe_images(samples(np.zeros((200, 8, 9, 1), np.uint8))) == Probe(8, 1, 64)
    assert probe_images(samples(np.zeros((3, 8, 9, 3), np.uint8))) == Probe(8, 3, 3)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 127, 128, 200, 1000])
def test_those_looked_at_are_spread_evenly(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders come class by class, so the first images alone would say little."""
    seen: list[int] = []

    def noted(source: Any) -> Image.Image:
        seen.append(int(source[0, 0]))
        return decode(np.zeros((4, 4), np.uint8))

    monkeypatch.setattr(probe_module, "decode", noted)
    numbers = np.arange(count, dtype=np.int64)[:, None, None] * np.ones((1, 4, 4), np.int64)
    assert probe_images(samples(numbers)).checked == len(seen) == len(set(seen)) == min(64, count)
    gaps = np.diff([-1, *sorted(seen), count])
    assert gaps.max() <= -(-count // 64) + 1


def test_bad_images_are_replaced_by_others() -> None:
    images: list[Any] = [b"bad"] * 90 + [Image.new("L", (5, 7)) for _ in range(10)]
    assert probe_images(samples(images)) == Probe(5, 1, 10)
    assert probe_images(samples(images), limit=3) == Probe(5, 1, 3)
    assert probe_images(samples([b"bad", Image.new("RGB", (5, 7))])) == Probe(5, 3, 1)


def test_no_image_can_be_used() -> None:
    with pytest.raises(DataError, match="not one of the 70 images can be used; the first: not an image") as caught:
        probe_images(samples([b"bad"] * 70))
    assert "allowed formats" in caught.value.hint
    with pytest.raises(DataError, match="not one of the 0 images"):
        probe_images(samples([]))
