"""Figures as people read them."""

from __future__ import annotations

NO_BREAK_SPACE = "\u00a0"
SPLIT_NAMES = {"val": "validation", "train": "training"}


def percent(share: float | None, decimals: int = 1) -> str:
    """Write a fraction as a percentage; less than all is never rounded up to 100.

    Args:
        share: 0 … 1; None where there is none.
        decimals: digits after the point.

    Returns:
        Such as "97.5 %", with a space that does not break; a dash for None.
    """
    if share is None:
        return "–"
    text = f"{100 * share:.{decimals}f}"
    if share < 1 and float(text) == 100:
        text = f"{100 - 10.0**-decimals:.{decimals}f}"
    return f"{text}{NO_BREAK_SPACE}%"


def duration(seconds: float) -> str:
    """Write a time.

    Args:
        seconds: 0 or more.

    Returns:
        Such as "8.2 s", "34 s", "12 min 5 s" or "2 h 3 min".
    """
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if whole < 60:
        return f"{whole} s"
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def short_count(number: int) -> str:
    """Write a count with three digits.

    Args:
        number: 0 or more.

    Returns:
        Such as "86.6 M", "139 k" or "42".
    """
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "k")):
        if number >= 0.9995 * size:
            text = f"{number / size:#.3g}".rstrip(".")
            return f"{text}{NO_BREAK_SPACE}{letter}"
    return str(number)


def mean_count(value: float) -> str:
    """Write a count that is a mean.

    Args:
        value: 0 or more.

    Returns:
        Such as "0.4", "2.9" or "1,328": one digit after the point below 10.
    """
    return f"{value:.1f}" if value < 9.95 else f"{value:,.0f}"


def quantity(value: float, unit: str = "") -> str:
    """Write a large amount with three digits and a prefix.

    Args:
        value: 0 or more.
        unit: such as "FLOP" or "B".

    Returns:
        Such as "1.23 TFLOP", "412 MB" or "17.6 G".
    """
    for power, prefix in enumerate(("E", "P", "T", "G", "M", "k")):
        size = 1000.0 ** (6 - power)
        if value >= 0.9995 * size:
            return f"{value / size:#.3g}".rstrip(".") + NO_BREAK_SPACE + prefix + unit
    return f"{value:.0f}{NO_BREAK_SPACE if unit else ''}{unit}"


def split_name(split: str) -> str:
    """Name a split in words.

    Args:
        split: "train", "val" or "test".

    Returns:
        The word.
    """
    return SPLIT_NAMES.get(split, split)
