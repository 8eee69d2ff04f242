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
    Headline,
    KeyFigure,
    Mistake,
    Reliability,
    ReportData,
)

BINS = (Bin(0.4, 0.5, 2, 0.45, 0.5, (0.1, 0.9)), Bin(0.9, 1.0, 8, 0.95, 0.875, (0.5, 0.98)))


def _png(side: int) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, format="PNG")
    return buffer.getvalue()


def _figures(name: str, n: int, found: int, taken: int) -> ClassFigures:
    recall, precision = found / n if n else None, found / taken if taken else None
    return ClassFigures(name, n, recall, precision, 2 * found / (n + taken) if n else None)


def _make(count: int = 10, name: str = "class {}", side: int = 8, **changes: Any) -> ReportData:
    """Make up the data of a page: each class is taken for the next one once in ten."""
    names = [name.format(number) for number in range(count)]
    confusion = 9 * np.eye(count, dtype=np.int64) + np.roll(np.eye(count, dtype=np.int64), 1, axis=1)
    n = int(confusion.sum())
    mistakes = [
        Mistake(f"{name}/{number}.png", name, names[(number + 1) % count], 0.9, _png(side), (side, side))
        for number, name in enumerate(names[:24])
    ]
    fields: dict[str, Any] = {
        "title": "flowers",
        "headline": Headline("test", 0.9, (0.85, 0.94), n),
        "figures": (KeyFigure("Macro F1", "90.00 %"), KeyFigure("Time", "34 s", "the whole run")),
        "epochs": tuple(Epoch(one, 2 / one, 1 - 0.9 / one, 1 - 0.8 / one, 1.5 / one) for one in range(1, 31)),
        "best_epoch": 28,
        "confusion": confusion,
        "reliability": Reliability(BINS),
        "classes": tuple(_figures(one, 10, 9, 10) for one in names),
        "mistakes": tuple(mistakes),
        "notes": ("model S/16: suits colour images of about 224 pixels on cpu",),
        "settings": {"seed": "0", "recipe.optimizer.lr": "0.002"},
        "facts": {"Data": {"Reference": "flowers/"}, "Model": {"Depth": "4"}},
    }
    return ReportData(**{**fields, **changes})


@pytest.fixture
def make_data() -> Callable[..., ReportData]:
    """Give the function that makes up the data of a page."""
    return _make


@pytest.fixture
def bad_images() -> tuple[BadImage, ...]:
    """Give more bad files than a page lists."""
    return tuple(BadImage("train", f"rose/{number:03d}.jpg", "image file is truncated") for number in range(72))
