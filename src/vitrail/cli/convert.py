"""`vitrail convert`."""

from __future__ import annotations

import argparse
import sys

from vitrail.cli.reference import add_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    parser.add_argument("out", metavar="OUT", help="file or folder to make")
    parser.add_argument(
        "--format", metavar="F", required=True, help="vitrail, timm, hugging-face (a folder) or google (.npz)"
    )


def run(options: argparse.Namespace) -> None:
    """Convert, and print how near the result is.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.convert import convert

    result = convert(options.reference, options.out, options.format, options.variant)
    for line in (*result.report.lines(), *result.notes):
        print(f"note: {line}", file=sys.stderr)
    if options.json:
        print_json(result.to_json())
    else:
        print(f"{result.out}: logits differ by at most {result.max_abs_diff:.3g}; {result.agreement:.0%} agree")
