"""A small run and small folders of images, made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vitrail
from vitrail.data.sources import open_dataset

QUICK = {"model": "vit_nano_conv_patch2_8", "settings": {"depth": 1, "batch_size": 128}}


def _write_digits(
    folder: Path, count: int, splits: tuple[str, ...] = ("",), suffixes: tuple[str, ...] = (".png",)
) -> Path:
    """Write the first `count` digits as images into class folders, spread over the splits."""
    samples = open_dataset("digits", classes=[str(digit) for digit in range(10)]).splits["test"]
    for number in range(count):
        split = splits[number % len(splits)]
        place = folder / split / f"class {samples.labels[number]}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.asarray(samples.image(number))[..., 0]
        side = (8, 8) if number % 3 else (13 + number % 5, 11)
        Image.fromarray(pixels).resize(side).save(place / f"{number:04d}{suffixes[number % len(suffixes)]}")
    return folder


@pytest.fixture(scope="session")
def write_digits() -> Callable[..., Path]:
    """Give the function that writes digits as images into class folders."""
    return _write_digits


@pytest.fixture(scope="session")
def digits_run(tmp_path_factory: pytest.TempPathFactory) -> vitrail.jobs.fit.Run:
    """Give a finished run of three short epochs on the digits."""
    return vitrail.fit("digits", out=tmp_path_factory.mktemp("runs") / "digits", epochs=3, **QUICK)


@pytest.fixture
def quick() -> dict[str, object]:
    """Give the settings of a training that takes a second."""
    return dict(QUICK)
