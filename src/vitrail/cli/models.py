"""`vitrail models`."""

from __future__ import annotations

import argparse
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="such as base, or '*patch16*'")
    parser.add_argument(
        "--pretrained",
        action="store_true",
        help="list published weights instead; each name is a REF for the other verbs",
    )


def run(options: argparse.Namespace) -> None:
    """List the models.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.catalogue import list_costs, list_published

    rows = (list_published if options.pretrained else list_costs)(options.pattern)
    if options.json:
        print_json({"models": rows})
    elif options.pretrained:
        _print_published(rows)
    else:
        _print_costs(rows)


def _print_costs(rows: list[dict[str, Any]]) -> None:
    width = max(len(row["name"]) for row in rows)
    print(f"{'model':{width}}  {'image':>9}  {'tokens':>6}  {'parameters':>13}  {'MACs':>9}")
    for row in rows:
        image = f"{row['image_size'][0]}×{row['image_size'][1]}"
        parameters, macs = f"{row['parameters']:,}", f"{row['macs'] / 1e9:.3f} G"
        print(f"{row['name']:{width}}  {image:>9}  {row['tokens']:>6}  {parameters:>13}  {macs:>9}")


def _print_published(rows: list[dict[str, Any]]) -> None:
    width = max(len(row["name"]) for row in rows)
    print(f"{'weights':{width}}  {'image':>9}  {'parameters':>13}  {'classes':>7}  {'top-1':>6}  licence")
    for row in rows:
        image = f"{row['image_size'][0]}×{row['image_size'][1]}"
        top1 = "" if row["top1"] is None else f"{100 * row['top1']:.2f}"
        figures = f"{image:>9}  {row['parameters']:>13,}  {row['classes'] or '':>7}  {top1:>6}"
        print(f"{row['name']:{width}}  {figures}  {row['licence']}")
