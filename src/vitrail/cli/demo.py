"""`vitrail demo`."""

from __future__ import annotations

import argparse

from vitrail.cli.parser import seed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("--out", metavar="RUN", help="folder for the results (default: a new one under runs/)")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of everything random (default: 0)")


def run(options: argparse.Namespace) -> None:
    """Train on the digits, and print what came out.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.glance import print_glance
    from vitrail.jobs.demo import demonstrate
    from vitrail.jobs.digest import digest_run

    with Console() as console:
        demo = demonstrate(options.out, options.seed, console)
    if options.json:
        print_json(demo.to_json())
        return
    print_glance(digest_run(demo.run, {"explanations": f"{demo.explanations} (what the model looks at)"}))
