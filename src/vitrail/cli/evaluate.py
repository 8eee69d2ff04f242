"""`vitrail evaluate`."""

from __future__ import annotations

import argparse

from vitrail.cli.reference import add_reference, add_sizes, load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    add_sizes(parser)
    parser.add_argument("data", metavar="DATA", help="labelled images, as for `vitrail fit`")
    parser.add_argument(
        "--split", default="test", choices=("test", "val", "train"), help="which images (default: test)"
    )
    parser.add_argument("--out", metavar="FILE", help="write the answer for every image: .csv or .parquet")
    parser.add_argument("--strict", action="store_true", help="stop if one image cannot be used")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Measure, and print the figures.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.glance import print_glance
    from vitrail.jobs.digest import digest_evaluation
    from vitrail.jobs.evaluate import evaluate

    with Console() as console:
        evaluation = evaluate(
            load_reference(options),
            options.data,
            options.split,
            listener=console,
            strict=options.strict,
            out=options.out,
        )
    if options.json:
        print_json(evaluation.to_json())
    else:
        sizes = " --dynamic" * options.dynamic + (f" --image-size {options.image_size}" if options.image_size else "")
        next_command = f"vitrail predict {options.reference} IMAGE…{sizes}"
        print_glance(digest_evaluation(evaluation, {"answers": options.out} if options.out else {}, next_command))
