"""The last words of `fit`, `evaluate` and `demo`: what a person can read at a glance."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from vitrail.jobs.digest import Digest
    from vitrail.jobs.probe import ProbeResult
    from vitrail.jobs.suspects import SuspectLabels

PIPED_WIDTH = 100
"""Columns to lay tables out in where there is no terminal."""
LABEL_WIDTH, GAP = 15, 3
LEAST_NAME, NAME_WIDTH, LONGEST_CURVE = 6, 26, 24
LEVELS = "▁▂▃▄▅▆▇█"


def print_glance(digest: Digest) -> None:
    """Print a digest on stdout: with colour on a terminal, as plain aligned text elsewhere.

    Args:
        digest: what to say.
    """
    console = _console()
    for name, value in _rows(digest, console):
        _print_row(console, name, value)


def print_probe(result: ProbeResult) -> None:
    """Print what a probe found on stdout, as `print_glance` does.

    Args:
        result: what to say.
    """
    from vitrail.report.text import duration, percent

    metrics, console = result.metrics, _console()
    chosen = dict(metrics.get("chosen", {}))
    if chosen:
        top1, n = chosen.pop("val_top1"), chosen.pop("val_n")
        setting = ", ".join(f"{name} = {value:g}" for name, value in chosen.items())
        how = f"{setting}, chosen on {n:,} validation images ({percent(top1, 2)} there)"
    else:
        draws = ", ".join(percent(top1, 2) for top1 in metrics["draws"].values())
        how = f"{metrics['shots']} images of each class; mean of {len(metrics['draws'])} draws: {draws}"
    computed = f"; features of {result.computed:,} images were computed" if result.computed else "; features were known"
    rows: list[tuple[str, Any]] = [
        (f"{result.split} accuracy", _headline(metrics)),
        ("", _more(metrics)),
        ("probe", plain(f"{result.probe} on frozen features ({result.pool}): {how}")),
        ("time", duration(result.seconds) + computed),
        ("model", str(result.model)),
    ]
    for name, value in rows:
        _print_row(console, name, value)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def _print_row(console: Console, name: str, value: Any) -> None:
    """Print a name and what belongs to it; text is never cut or wrapped, so that a path can be copied."""
    from rich.table import Table
    from rich.text import Text

    label = Text(f"{name:<{LABEL_WIDTH - 1}} ", style="dim")
    if isinstance(value, Table):
        grid = Table.grid()
        grid.add_column(width=LABEL_WIDTH)
        grid.add_column()
        grid.add_row(label, value)
        console.print(grid)
    else:
        console.print(Text.assemble(label, value), soft_wrap=True)


def _rows(digest: Digest, console: Console) -> list[tuple[str, Any]]:
    from vitrail.report.text import duration, percent

    metrics = digest.evaluation.metrics
    rows: list[tuple[str, Any]] = [
        (f"{digest.evaluation.split} accuracy", _headline(metrics)),
        ("", _more(metrics)),
        ("calibration", _calibration(metrics)),
    ]
    if digest.evaluation.suspects:
        rows.append(("labels", _labels(digest.evaluation.suspects)))
    if "selective" in metrics:
        rows.append(("answered", _selective(metrics["selective"])))
    if digest.validation:
        rows.append(("validation", _curve(digest.validation, console)))
    if digest.verdict:
        rows.append(("tuning", (digest.verdict.text, "yellow" if digest.verdict.warning else "")))
    if digest.weakest:
        cells = [(one.name, percent(one.recall), percent(one.precision), f"{one.n:,}") for one in digest.weakest]
        rows.append(("weakest", _table(("class", "recall", "precision", "n"), cells, 1, console.width)))
    if digest.confusions:
        cells = [(one.label, one.predicted, f"{one.count:,}", percent(one.share)) for one in digest.confusions]
        rows.append(
            ("mistaken most", _table(("class", "taken for", "images", "of the class"), cells, 2, console.width))
        )
    bad = len(digest.evaluation.outputs.bad)
    if bad:
        rows.append(("not usable", (f"{bad:,} image{'s' if bad > 1 else ''}, which do not count in n", "yellow")))
    parts = ", ".join(f"{name} {duration(seconds)}" for name, seconds in digest.parts.items())
    rows.append(("time", duration(digest.seconds) + (f" ({parts})" if parts else "")))
    rows += digest.files.items()
    return [*rows, ("next", (digest.command, "bold"))] if digest.command else rows


def _headline(metrics: dict[str, Any]) -> Text:
    from rich.text import Text

    from vitrail.report.text import percent

    low, high = metrics["interval"]
    return Text.assemble(
        (plain(percent(metrics["top1"], 2)), "bold green"),
        plain(f"   95 % interval {percent(low, 2)} … {percent(high, 2)}, n = {metrics['n']:,}"),
    )


def _more(metrics: dict[str, Any]) -> str:
    from vitrail.report.text import percent

    more = {
        "top-5": "top5",
        "balanced": "balanced_accuracy",
        "macro-F1": "macro_f1",
        "mAP": "mean_average_precision",
    }
    words = []
    for name, key in more.items():
        if key in metrics:
            interval = metrics.get(f"{key}_interval")
            bounds = f" ({100 * interval[0]:.1f} … {100 * interval[1]:.1f})" if interval else ""
            words.append(f"{name} {plain(percent(metrics[key], 2))}{bounds}")
    return ", ".join(words)


def _calibration(metrics: dict[str, Any]) -> str:
    from vitrail.report.text import percent

    before = metrics.get("ece_before", metrics["ece"])
    was = f" ({percent(before, 2)} before calibration)" if before != metrics["ece"] else ""
    return plain(f"ECE {percent(metrics['ece'], 2)}{was}, NLL {metrics['nll']:.3f}")


def _labels(suspects: SuspectLabels) -> tuple[str, str]:
    """Say how many labels a sure answer contradicts, with a colour if they are more than chance explains."""
    from vitrail.report.text import mean_count

    expected = f"{mean_count(suspects.expected)} ± {mean_count(suspects.spread)} to be expected"
    words = f"{len(suspects.labels):,} of {suspects.n:,} contradict a sure answer, {expected}"
    return (f"{words}: some are likely wrong", "yellow") if suspects.many else (words, "")


def _selective(figures: dict[str, Any]) -> str:
    from vitrail.report.text import percent

    low, high = figures["interval"]
    return plain(
        f"{percent(figures['coverage'])} of the images, from probability {figures['threshold']:.3f} on; "
        f"{percent(figures['error'], 2)} of these {figures['answered']:,} answers are wrong "
        f"({percent(low, 2)} … {percent(high, 2)}); promised: at most {percent(figures['max_error'], 2)}"
    )


def _curve(shares: Sequence[float], console: Console) -> str:
    from vitrail.report.text import percent

    ends = f"{percent(shares[0])} → {percent(shares[-1])}" if len(shares) > 1 else percent(shares[0])
    words = plain(f"{ends}, {len(shares)} epoch{'s' if len(shares) > 1 else ''}")
    drawn = sparkline(shares) if console.is_terminal and console.encoding.startswith("utf") else ""
    return f"{drawn}  {words}" if drawn else words


def sparkline(shares: Sequence[float], width: int = LONGEST_CURVE) -> str:
    """Draw a curve in one line of text.

    Args:
        shares: its points, 0 … 1.
        width: characters at most; points are averaged to fit.

    Returns:
        Blocks from the lowest to the highest value; empty for fewer than three points.
    """
    if len(shares) < 3:
        return ""
    count = min(width, len(shares))
    edges = [round(place * len(shares) / count) for place in range(count + 1)]
    means = [sum(shares[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    return "".join(LEVELS[round((value - low) / span * 7) if span else 3] for value in means)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], names: int, width: int) -> Table:
    """Lay out a small table whose first `names` columns are names of classes, which may be long, wide or worse."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="dim")
    widest = [max(len(head), *(len(row[place]) for row in rows)) for place, head in enumerate(heads)]
    left = width - LABEL_WIDTH - sum(widest[names:]) - GAP * (len(heads) - 1)
    for place, head in enumerate(heads):
        if place < names:
            table.add_column(head, no_wrap=True, max_width=max(LEAST_NAME, min(NAME_WIDTH, left // names)))
        else:
            table.add_column(head, justify="right", no_wrap=True, min_width=widest[place])
    for row in rows:
        table.add_row(*(Text(printable(cell) if place < names else plain(cell)) for place, cell in enumerate(row)))
    return table


def plain(text: str) -> str:
    """Use ordinary spaces: a terminal does not break lines between a figure and its unit, and programs search for them.

    Args:
        text: with spaces that do not break.

    Returns:
        The same without them.
    """
    return text.replace("\u00a0", " ")


def printable(name: str) -> str:
    """Make the name of a class fit for one line of a terminal.

    Args:
        name: which may hold line breaks, control characters, or bytes that are no text.

    Returns:
        The name, such characters written with backslashes.
    """
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in name)
