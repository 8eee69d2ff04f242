"""`vitrail models`."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("pattern", metavar="PATTERN", nargs="?", default="*", help="such as base, or '*patch16*'")


def run(options: argparse.Namespace) -> None:
    """List the models.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.catalogue import list_costs

    rows = list_costs(options.pattern)
    if options.json:
        print_json({"models": rows})
        return
    width = max(len(row["name"]) for row in rows)
    print(f"{'model':{width}}  {'image':>9}  {'tokens':>6}  {'parameters':>13}  {'MACs':>9}")
    for row in rows:
        image = f"{row['image_size'][0]}×{row['image_size'][1]}"
        parameters, macs = f"{row['parameters']:,}", f"{row['macs'] / 1e9:.3f} G"
        print(f"{row['name']:{width}}  {image:>9}  {row['tokens']:>6}  {parameters:>13}  {macs:>9}")
