"""Figures as people read them."""

import pytest

from vitrail.report.text import duration, percent, short_count, split_name


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [
        (0, 1, "0.0 %"), (1, 2, "100.00 %"), (0.5, 0, "50 %"), (0.97222, 2, "97.22 %"), (0.99999, 1, "99.9 %"),
        (0.99999, 2, "99.99 %"), (0.99999, 0, "99 %"), (None, 1, "–"),
    ],
)  # fmt: skip
def test_percent(share, decimals, text):
    assert percent(share, decimals).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"), (8.24, "8.2 s"), (9.96, "10 s"), (34.4, "34 s"), (59.6, "1 min 0 s"), (725, "12 min 5 s"),
        (3599.6, "1 h 0 min"), (7380, "2 h 3 min"),
    ],
)  # fmt: skip
def test_duration(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"), (999, "999"), (1000, "1.00 k"), (138_714, "139 k"), (999_600, "1.00 M"), (86_567_656, "86.6 M"),
        (1_843_000_000, "1.84 B"),
    ],
)  # fmt: skip
def test_short_count(number, text):
    assert short_count(number).replace("\u00a0", " ") == text


def test_split_name():
    assert [split_name(name) for name in ("train", "val", "test", "other")] == [
        "training",
        "validation",
        "test",
        "other",
    ]
