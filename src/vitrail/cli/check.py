"""`vitrail check`."""

from __future__ import annotations

import argparse

from vitrail.cli.reference import VARIANT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("data", metavar="DATA", help="labelled images, as for `vitrail fit`")
    parser.add_argument("--out", metavar="FILE", help="write a page that shows what was found to this .html file")
    parser.add_argument(
        "--write-clean", metavar="FILE", help="write a list of what is worth keeping to this .csv file, for `fit`"
    )
    parser.add_argument("--model", metavar="REF", help="say which labels are likely wrong, by this model's features")
    parser.add_argument("--variant", metavar="NAME", help=VARIANT)
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--exact", action="store_true", help="search equal images only, not near duplicates")
    parser.add_argument("--strict", action="store_true", help="exit with code 2 if there is a problem")


def run(options: argparse.Namespace) -> None:
    """Check, and print what was found.

    Args:
        options: the parsed flags.

    Raises:
        DataError: with `--strict`, if there is a problem.
    """
    from vitrail.cli.check_summary import print_check
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.json_stream import ON_STDOUT
    from vitrail.cli.progress import ended_by_sigterm
    from vitrail.core.errors import DataError
    from vitrail.jobs.check import check

    with ended_by_sigterm(), Console() as console:
        result = check(
            options.data,
            options.model,
            variant=options.variant,
            out=options.out,
            write_clean=options.write_clean,
            near=not options.exact,
            device=options.device,
            listener=console,
        )
    error = None
    if options.strict and result.problems:
        listed = ", ".join(f"{title[0].lower()}{title[1:]} ({number:,})" for title, number in result.problems.items())
        error = DataError(f"{options.data}: {listed}", hint="mend the data, or leave --strict out")
        error.add_note(ON_STDOUT)
    if options.json:
        print_json({**result.to_json(), **({"error": error.message, "hint": error.hint} if error else {})})
    else:
        print_check(result)
    if error:
        raise error
