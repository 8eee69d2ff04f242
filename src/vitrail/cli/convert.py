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
    formats = "vitrail, timm, hugging-face (a folder) or google (.npz); with --average, vitrail if it is not given"
    parser.add_argument("--format", metavar="F", help=formats)
    parser.add_argument(
        "--average", nargs="+", metavar="REF", help="write the mean of the weights of REF and these, which are like it"
    )


def run(options: argparse.Namespace) -> None:
    """Convert or average, and print how near the result is.

    Args:
        options: the parsed flags.

    Raises:
        UsageError: if nothing says what to write.
    """
    from vitrail.cli.console import print_json
    from vitrail.core.errors import UsageError
    from vitrail.jobs.convert import convert

    if options.format is None and options.average is None:
        raise UsageError("the following arguments are required: --format", hint="--format vitrail, say; or --average")
    result = convert(options.reference, options.out, options.format or "vitrail", options.variant, options.average)
    for line in (*result.report.lines(), *result.notes):
        print(f"note: {line}", file=sys.stderr)
    if options.json:
        print_json(result.to_json())
    elif result.average:
        print(f"{result.out}: the mean of {len(result.average)} models")
    else:
        print(f"{result.out}: logits differ by at most {result.max_abs_diff:.3g}; {result.agreement:.0%} agree")
