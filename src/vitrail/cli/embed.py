"""`vitrail embed`."""

from __future__ import annotations

import argparse

from vitrail.cli.predict import add_inputs
from vitrail.cli.reference import load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_inputs(parser)
    parser.add_argument("--out", metavar="FILE", required=True, help="write the features to this .parquet file")
    parser.add_argument(
        "--pool", default="model", choices=("model", "pre_logits", "class_token", "mean", "tokens"),
        help="what to take: the input of the model's head, the same after its representation layer, the class token, "
        "the mean of the patches, or all tokens (default: model)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> None:
    """Compute features and write them.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.cli.progress import Progress, ended_by_sigterm
    from vitrail.jobs.embed import embed_paths

    progress = Progress()
    shape: list[int | None] | None = None
    with ended_by_sigterm():
        predictor = load_reference(options)
        stream = embed_paths(predictor, options.paths, options.out, options.pool, strict=options.strict)
        for answer in progress.watch(stream):
            if answer.features is not None:
                one = list(answer.features.shape)
                shape = one if shape in (None, one) else [None, *one[1:]]
    if options.json:
        figures = {"n": progress.count, "failed": progress.failed, "pool": options.pool, "shape": shape}
        print_json({"out": options.out, **figures})
    progress.summarise(options.out)
