"""`vitrail inspect`."""

from __future__ import annotations

import argparse

from vitrail.cli.parser import positive_int, seed
from vitrail.cli.reference import add_reference, add_sizes, load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    parser.add_argument(
        "data", metavar="DATA", nargs="?",
        help="images: as for `vitrail fit`, or any folder of images (default: those it was trained on)",
    )  # fmt: skip
    add_sizes(parser)
    parser.add_argument(
        "--out", metavar="DIR", required=True, help="folder for index.html, the figures and their numbers"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the inspection in --out")
    parser.add_argument("--images", type=positive_int, metavar="N", default=128, help="how many images (default: 128)")
    parser.add_argument(
        "--renormalise", action="store_true",
        help="attention distance: let the weights on patches sum to 1, without what goes to other tokens",
    )  # fmt: skip
    parser.add_argument("--layers", type=numbers, metavar="N,…", default=(), help="layers to explore, from 0 (all)")
    parser.add_argument("--heads", type=numbers, metavar="N,…", default=(), help="heads to explore, from 0 (all)")
    parser.add_argument("--seed", type=seed, metavar="N", default=0, help="decides which images (default: 0)")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def numbers(text: str) -> tuple[int, ...]:
    """Read numbers that count from 0.

    Args:
        text: what was typed, such as "0,5,11".

    Returns:
        The numbers.

    Raises:
        ArgumentTypeError: for anything else.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: whole numbers from 0, such as 0,5,11")
    return tuple(map(int, parts))


def run(options: argparse.Namespace) -> None:
    """Inspect, and say what was found.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.progress import ended_by_sigterm
    from vitrail.jobs.inspect import inspect

    with ended_by_sigterm(), Console() as console:
        inspection = inspect(
            load_reference(options),
            options.data,
            out=options.out,
            images=options.images,
            renormalise=options.renormalise,
            layers=options.layers,
            heads=options.heads,
            seed=options.seed,
            overwrite=options.overwrite,
            device=options.device,
            listener=console,
        )
    if options.json:
        print_json(inspection.to_json())
        return
    for sentence in inspection.sentences:
        print(sentence)
    print(f"{inspection.out / 'index.html'} shows {len(inspection.files) // 3} figures")
