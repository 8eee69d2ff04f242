"""`vitrail fit`."""

from __future__ import annotations

import argparse

from vitrail.cli.parser import positive_float, positive_int, seed
from vitrail.cli.reference import VARIANT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="digits, fashion-mnist, a folder of class folders, or a .csv/.parquet with path,label[,split]",
    )
    parser.add_argument(
        "--model",
        metavar="REF",
        help="variant; or run folder, weights, hf:owner/name or published name to start from (default: by image size; "
        "for photographs a small pretrained one, if it is cached or can be downloaded)",
    )
    parser.add_argument("--offline", action="store_true", help="fetch nothing; without --model, start from scratch")
    parser.add_argument("--variant", metavar="NAME", help=VARIANT)
    parser.add_argument(
        "--teacher", metavar="REF", help="run, weights or published name to imitate (--set distillation=hard or soft)"
    )
    parser.add_argument("--recipe", metavar="NAME", help="how to learn (default: by image size)")
    parser.add_argument("--out", metavar="RUN", help="folder for the results (default: a new one under runs/)")
    parser.add_argument("--seed", type=seed, metavar="N", help="seed of everything random (default: 0)")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=positive_int, metavar="N", help="passes over the training images")
    length.add_argument("--minutes", type=positive_float, metavar="N", help="time to train, instead of epochs")
    parser.add_argument("--image-size", type=positive_int, metavar="S", help="side in pixels (default: the model's)")
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="KEY=VALUE", help="change settings, such as lr=0.001"
    )
    parser.add_argument("--strict", action="store_true", help="stop before training if one image cannot be used")
    parser.add_argument("--config", metavar="FILE", help="repeat the run that this config.toml describes")
    parser.add_argument("--track", metavar="NAME", help="write figures for a tracker as well: tensorboard")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", action="store_true", help="go on with the run in --out")
    again.add_argument("--overwrite", action="store_true", help="replace the run in --out")


def run(options: argparse.Namespace) -> None:
    """Train, and print what came out.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.glance import print_glance
    from vitrail.core.override import parse_assignments
    from vitrail.jobs.digest import digest_run
    from vitrail.jobs.fit import fit

    assignments = list(options.set)
    if options.data is None and assignments and "=" not in assignments[-1]:
        options.data = assignments.pop()  # `--set lr=0.001 DATA`
    settings = parse_assignments(assignments)
    with Console() as console:
        result = fit(
            options.data,
            options.model,
            options.recipe,
            variant=options.variant,
            teacher=options.teacher,
            out=options.out,
            seed=options.seed,
            epochs=options.epochs,
            minutes=options.minutes,
            image_size=options.image_size,
            device=options.device,
            settings=settings,
            config=options.config,
            resume=options.resume,
            overwrite=options.overwrite,
            track=options.track,
            strict=options.strict,
            offline=options.offline,
            listener=console,
        )
    if options.json:
        print_json(result.to_json())
    else:
        print_glance(digest_run(result))
