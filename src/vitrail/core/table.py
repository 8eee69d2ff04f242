"""Literal tables of named rows; a name that is not there is answered with the nearest ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from vitrail.core.errors import ConfigError, VitrailError

Row = TypeVar("Row")


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Find the known names most like a mistyped one.

    Args:
        name: what was typed.
        known: the names that exist.
        count: at most this many, best first.

    Returns:
        Names of `known`; empty if none is similar.
    """

    def parts(text: str) -> str:
        return " ".join(sorted(re.findall(r"[a-z]+|\d+", text.lower())))

    def ratio(one: str, other: str) -> float:
        return difflib.SequenceMatcher(None, other, one).ratio()

    def likeness(candidate: str) -> tuple[float, float]:
        whole, in_parts = ratio(name.lower(), candidate.lower()), ratio(parts(name), parts(candidate))
        return max(whole if whole >= 0.6 else 0, in_parts if in_parts >= 0.75 else 0), ratio(name, candidate)

    scores = {candidate: likeness(candidate) for candidate in known}
    return sorted((one for one in scores if scores[one][0] > 0), key=lambda one: scores[one], reverse=True)[:count]


def did_you_mean(name: str, known: Iterable[str], listing: str = "") -> str:
    """Write the hint for an unknown name.

    Args:
        name: what was typed.
        known: the names that exist.
        listing: what to say when there are too many names to list, such as a command that lists them.

    Returns:
        "did you mean …?", or the list of names, or `listing`.
    """
    known = list(known)
    close = nearest(name, known)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known: {', '.join(known)}" if len(known) <= 16 or not listing else listing


class Table(Mapping[str, Row], Generic[Row]):
    """Hold named rows, read-only, in the order written.

    Args:
        what: what one row is, for messages ("recipe", "position kind").
        rows: name → row.
        listing: hint that says how to list all names, for long tables.
        error: class of the error that an unknown name raises.
    """

    def __init__(
        self, what: str, rows: Mapping[str, Row], listing: str = "", error: type[VitrailError] = ConfigError
    ) -> None:
        self.what = what
        self._rows = dict(rows)
        self._listing = listing
        self._error = error

    def __getitem__(self, name: str) -> Row:
        if name not in self._rows:
            raise self._error(f"unknown {self.what} {name!r}", hint=did_you_mean(str(name), self._rows, self._listing))
        return self._rows[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Look a row up without complaint; `Mapping.get` expects a KeyError, which is not what `[]` raises.

        Args:
            name: name of a row.
            default: what to give if there is no such row.

        Returns:
            The row, or `default`.
        """
        return self._rows.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"Table({self.what!r}: {', '.join(self._rows)})"
