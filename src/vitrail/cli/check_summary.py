"""The last words of `check`: what was found, with the first few examples of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitrail.cli.glance import printable

if TYPE_CHECKING:
    from vitrail.data.check.findings import Item
    from vitrail.jobs.check import Check

EXAMPLES = 3
"""Occurrences of a finding that are printed."""
COPIES = 4
"""Images of a group that are printed."""


def print_check(result: Check) -> None:
    """Print what was found on stdout.

    Args:
        result: of the check.
    """
    for line in check_lines(result):
        print(line)


def check_lines(result: Check) -> Iterator[str]:
    """Write what was found as lines.

    Args:
        result: of the check.

    Yields:
        What is a problem first, each finding with its first few examples; then what is good to know in one line each.
    """
    from vitrail.data.check.findings import FINDINGS, concerned
    from vitrail.report.text import duration

    catalogue = result.catalogue
    classes, n = len(catalogue.classes), len(catalogue)
    yield f"{n:,} images of {classes:,} class{'es' * (classes != 1)}, looked at in {duration(result.seconds)}"
    for name, items in result.findings.items():
        finding = FINDINGS[name]
        if not items:
            continue
        images = concerned(items)
        extent = f"{len(items):,}" + (f" ({images:,} images)" if images > len(items) else "")
        yield ""
        yield f"{'problem' if finding.problem else 'note'}: {finding.title}: {extent}"
        yield f"  {finding.advice}"
        for item in items[:EXAMPLES]:
            yield f"  - {_example(result, item)}"
        if len(items) > EXAMPLES:
            yield f"  … and {len(items) - EXAMPLES:,} more"
    yield from _suspects(result)
    yield ""
    yield _verdict(result)


def _example(result: Check, item: Item) -> str:
    names = [printable(result.catalogue.names[index]) for index in item.images[:COPIES]]
    more = f" and {len(item.images) - COPIES:,} more" if len(item.images) > COPIES else ""
    return f"{' = '.join(names)}{more}: {item.detail}" if names else item.detail


def _suspects(result: Check) -> Iterator[str]:
    if result.suspects is None:
        return
    yield ""
    yield f"labels that are likely wrong: {len(result.suspects):,}, the likeliest first"
    for one in result.suspects[:EXAMPLES]:
        label = result.catalogue.label(one.index)
        name = printable(result.catalogue.names[one.index])
        yield f"  - {name}: labelled {printable(label)}, looks like {printable(one.suggested)} ({one.doubt:.2f})"


def _verdict(result: Check) -> str:
    n, problems = len(result.catalogue), len(result.problems)
    words = "no problem found" if not problems else f"{problems} kind{'s' * (problems != 1)} of problem"
    kept = f"{result.kept:,} of {n:,} images are worth keeping" if result.kept < n else "all images are worth keeping"
    files = [f"{'page' if flag == 'out' else 'list of these'}: {path}" for flag, path in result.files.items()]
    hint = (
        []
        if result.files or not problems
        else ["see them with --out check.html, list them with --write-clean keep.csv"]
    )
    return "; ".join([words, kept, *files, *hint])
