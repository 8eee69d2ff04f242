"""Answers as an aligned table that is printed while they come."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitrail.jobs.prediction import Prediction

LOOK_AHEAD = 64
"""Answers that decide how wide the columns are, at first; a batch has not more on a CPU."""
WIDEST = 60
"""Columns that a long path or label may push the rest of its own row to the right, but not that of the others."""


def table_lines(answers: Iterable[Prediction]) -> Iterator[str]:
    """Write answers as lines: path, label, probability, the next best; an error in the place of these.

    Args:
        answers: in order.

    Yields:
        A heading, then one line an answer; columns are aligned to what the first answers need, and never become
        narrower.
    """
    answers = iter(answers)
    first = list(islice(answers, LOOK_AHEAD))
    wide, label = len("path"), len("label")
    for answer in first:
        wide, label = _widen(wide, _printable(answer.path)), _widen(label, answer.label or "")
    further = any(len(answer.top) > 1 for answer in first)
    yield _line(_padded("path", wide), _padded("label", label), "probability", "next best" if further else "")
    for answer in chain(first, answers):
        path = _printable(answer.path)
        wide, label = _widen(wide, path), _widen(label, answer.label or "")
        if answer.error is not None:
            reason = answer.error.removeprefix(f"{answer.path}: ")
            yield _line(_padded(path, wide), f"error: {_printable(reason)}")
            continue
        others = ", ".join(f"{_printable(name)} {_percent(probability)}" for name, probability in answer.top[1:])
        share = _percent(answer.probability or 0.0).rjust(len("probability"))
        yield _line(_padded(path, wide), _padded(_printable(answer.label or ""), label), share, others)


def _line(*cells: str) -> str:
    return "  ".join(cells).rstrip()


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"


def _printable(text: str) -> str:
    """Spell out what would break the line or command the terminal."""
    return text if text.isprintable() else "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def _width(text: str) -> int:
    """Count the columns of a terminal that text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(one) else 1 + (unicodedata.east_asian_width(one) in "WF") for one in text)


def _widen(width: int, text: str) -> int:
    return max(width, min(WIDEST, _width(text)))


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
