"""A page's data, made up."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vitrail.report.data import (
    BadImage,
    Bin,
    ClassFigures,
    Epoch,
    Expense,
    Headline,
    KeyFigure,
    Learning,
    Reliability,
    ReportData,
)
from vitrail.report.pictures import Gallery, Mistake, Picture, TrainingBatch, TrainingPicture

BEFORE = (Bin(0.6, 0.7, 5, 0.65, 0.8, (0.4, 0.96)), Bin(0.9, 1.0, 5, 0.98, 0.8, (0.4, 0.96)))
"""The images of `BINS` before a temperature; their error is 0.165."""
BINS = (Bin(0.4, 0.5, 2, 0.45, 0.5, (0.1, 0.9)), Bin(0.9, 1.0, 8, 0.95, 0.875, (0.5, 0.98)))


def _picture(side: int) -> Picture:
    """Encode noise, which is the worst case, as a run does."""
    buffer = io.BytesIO()
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    if side <= 64:
        Image.fromarray(noise).save(buffer, format="PNG")
    else:
        Image.fromarray(noise).save(buffer, format="JPEG", quality=88, subsampling=0)
    return Picture(buffer.getvalue(), (side, side))


def _batches(names: list[str], side: int) -> tuple[TrainingBatch, ...]:
    """Make up three batches; every second image is mixed with one of the next class."""
    picture, pairs = _picture(min(side, 112)), list(zip(names, names[1:] + names[:1], strict=True))
    labels = [((one, 1.0),) if place % 2 else ((one, 0.7), (other, 0.3)) for place, (one, other) in enumerate(pairs)]
    shown = tuple(TrainingPicture(picture, label) for label in labels[:12])
    return tuple(TrainingBatch(step, 64, shown) for step in (1, 2, 3))


def _figures(name: str, n: int, found: int, taken: int) -> ClassFigures:
    recall, precision = found / n if n else None, found / taken if taken else None
    return ClassFigures(name, n, recall, precision, 2 * found / (n + taken) if n else None)


def _make(count: int = 10, name: str = "class {}", side: int = 8, **changes: Any) -> ReportData:
    """Make up the data of a page: each class is taken for the next one once in ten."""
    names = [name.format(number) for number in range(count)]
    confusion = 9 * np.eye(count, dtype=np.int64) + np.roll(np.eye(count, dtype=np.int64), 1, axis=1)
    n = int(confusion.sum())
    mistakes = [
        Mistake(f"{name}/{number}.png", name, names[(number + 1) % count], 0.9, _picture(side))
        for number, name in enumerate(names[:24])
    ]
    gallery = {part: changes.pop(part) for part in ("suspects", "mistakes", "looks") if part in changes}
    fields: dict[str, Any] = {
        "title": "flowers",
        "headline": Headline("test", 0.9, (0.85, 0.94), n),
        "figures": (KeyFigure("Macro F1", "90.00 %"), KeyFigure("Time", "34 s", "the whole run")),
        "learning": Learning(_epochs(30), 28, _batches(names, side)),
        "confusion": confusion,
        "reliability": Reliability(BINS),
        "classes": tuple(_figures(one, 10, 9, 10) for one in names),
        "gallery": Gallery(**{"mistakes": tuple(mistakes), **gallery}),
        "expense": Expense({"learning": 30.0, "validation": 4.0}, {"Computed in training": "1.23 TFLOP"}),
        "notes": ("model S/16: suits colour images of about 224 pixels on cpu",),
        "settings": {"seed": "0", "recipe.optimizer.lr": "0.002"},
        "facts": {"Data": {"Reference": "flowers/"}, "Model": {"Depth": "4"}},
    }
    return ReportData(**{**fields, **changes})


def _epochs(count: int) -> tuple[Epoch, ...]:
    return tuple(Epoch(one, 2 / one, 1 - 0.9 / one, 1 - 0.8 / one, 1.5 / one) for one in range(1, count + 1))


@pytest.fixture
def make_data() -> Callable[..., ReportData]:
    """Give the function that makes up the data of a page."""
    return _make


@pytest.fixture
def bad_images() -> tuple[BadImage, ...]:
    """Give more bad files than a page lists."""
    return tuple(BadImage("train", f"rose/{number:03d}.jpg", "image file is truncated") for number in range(72))


@pytest.fixture
def bins_before() -> tuple[Bin, ...]:
    """Give the bins of a page's images before a temperature."""
    return BEFORE
