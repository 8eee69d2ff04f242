"""An argument parser that answers as the rest of vitrail does: one error, one hint, exit code 2."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from vitrail.core.errors import UsageError
from vitrail.core.table import did_you_mean, nearest


class Parser(argparse.ArgumentParser):
    """Parse arguments; complaints are UsageErrors."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print.

        Args:
            message: argparse's words.

        Raises:
            UsageError: always.
        """
        raise UsageError(message, hint=f"{self.prog} --help shows what is allowed")

    def flags(self) -> Iterator[str]:
        """List the flags this parser knows.

        Yields:
            "--out" and so on.
        """
        for action in self._actions:
            yield from action.option_strings

    def refuse_unknown(self, unknown: Sequence[str]) -> None:
        """Complain of arguments that nothing took.

        Args:
            unknown: what is left over.

        Raises:
            UsageError: if there is any.
        """
        if not unknown:
            return
        first = unknown[0].partition("=")[0]
        hint = f"{self.prog} --help shows what is allowed"
        if first.startswith("-") and nearest(first, self.flags()):
            hint = did_you_mean(first, self.flags())
        raise UsageError(f"unknown {'flag' if first.startswith('-') else 'argument'} {unknown[0]!r}", hint=hint)


def positive_int(text: str) -> int:
    """Read a whole number of 1 or more.

    Args:
        text: what was typed.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: for anything else.
    """
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: a whole number, 1 or more")
    return int(text)


def positive_float(text: str) -> float:
    """Read a number greater than 0.

    Args:
        text: what was typed.

    Returns:
        The number.

    Raises:
        ArgumentTypeError: for anything else.
    """
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: a number greater than 0")
    return value


def seed(text: str) -> int:
    """Read a seed.

    Args:
        text: what was typed.

    Returns:
        0 ≤ seed < 2**63.

    Raises:
        ArgumentTypeError: for anything else.
    """
    if not text.isascii() or not text.isdigit() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: a whole number, 0 or more")
    return int(text)
