"""Tiles of the photographs that scikit-learn ships, and what happens to pictures on their way into a data set."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from vitrail.data.check.gather import catalogue_of, survey
from vitrail.data.check.survey import Survey
from vitrail.data.dataset import Samples

SIDE = 84


def _reencoded(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50)
    return Image.open(file).convert("RGB")


def _cropped(image: Image.Image, top: int, left: int) -> Image.Image:
    side = round(0.9 * SIDE)
    return image.crop((left, top, left + side, top + side))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "re-encoded": _reencoded,
    "smaller": lambda image: image.resize((50, 50), Image.Resampling.BICUBIC),
    "larger": lambda image: image.resize((140, 120), Image.Resampling.LANCZOS),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "upended": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "cropped at a corner": lambda image: _cropped(image, 0, 8),
    "cropped somewhere": lambda image: _cropped(image, 3, 6),
    "cropped and mirrored": lambda image: _cropped(image, 5, 1).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
}


@pytest.fixture(scope="session")
def changes() -> dict[str, Callable[[Image.Image], Image.Image]]:
    """Give what makes a near duplicate of a picture."""
    return CHANGES


@pytest.fixture(scope="session")
def tiles() -> list[Image.Image]:
    """Give 50 tiles of two photographs, none of them of one colour, no two alike."""
    found = []
    for photograph in map(Image.fromarray, load_sample_images().images):
        for top in range(0, photograph.height - SIDE + 1, SIDE):
            for left in range(0, photograph.width - SIDE + 1, SIDE):
                tile = photograph.crop((left, top, left + SIDE, top + SIDE))
                if np.asarray(tile.convert("L")).std() > 12:
                    found.append(tile)
    return found[:50]


@pytest.fixture(scope="session")
def surveyed() -> Callable[..., Survey]:
    """Give a function that surveys files: split → class → paths."""

    def run(splits: dict[str, dict[str, list[str]]], near: bool = True, classes: tuple[str, ...] = ()) -> Survey:
        names = tuple(sorted({name for split in splits.values() for name in split} | set(classes)))
        samples = {}
        for split, by_class in splits.items():
            rows = [(str(path), names.index(name)) for name, paths in by_class.items() for path in paths]
            paths = [path for path, _ in rows]
            samples[split] = Samples(paths, np.array([code for _, code in rows], dtype=np.int64), paths)
        return survey(catalogue_of(names, samples), samples, near, threads=1)

    return run
