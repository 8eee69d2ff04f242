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
    parser.set_defaults(
        data="digits", model=None, recipe=None, epochs=None, minutes=None, image_size=None, device=None, set=[],
        config=None, resume=False, overwrite=False,
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Train on the digits, and print what came out.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli import fit

    fit.run(options)
