"""`vitrail predict`."""

from __future__ import annotations

import argparse
import sys

from vitrail.cli.parser import positive_int
from vitrail.cli.reference import add_reference, add_sizes, load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_inputs(parser)
    parser.add_argument("--out", metavar="FILE", help="write the answers to a .csv, .json, .jsonl or .parquet file")
    parser.add_argument("--top", type=positive_int, default=1, metavar="K", help="name the K best classes (default: 1)")
    parser.add_argument(
        "--max-error", type=float, metavar="E", help="answer `unsure` where needed so that at most this part, such as "
        "0.01, of the other answers is wrong",
    )  # fmt: skip


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """Declare what any verb takes that looks at many images.

    Args:
        parser: of the verb.
    """
    add_reference(parser)
    add_sizes(parser)
    parser.add_argument(
        "paths", metavar="PATH", nargs="+",
        help="images, folders of images, glob patterns (** for any folders), lists of paths (.txt, or .csv or .parquet "
        "with a column `path`), or - for one path a line on stdin",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="stop at the first image that cannot be used")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Classify, and print or write the answers.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.answer_table import table_lines
    from vitrail.cli.json_stream import JsonStream
    from vitrail.cli.progress import Progress, ended_by_sigterm
    from vitrail.jobs.predict import predict_paths

    printed = options.json or options.out is None
    progress = Progress(shown=not (printed and sys.stdout.isatty()))
    with ended_by_sigterm():
        predictor = load_reference(options)
        answers = progress.watch(
            predict_paths(
                predictor, options.paths, options.out, options.top, strict=options.strict, max_error=options.max_error
            )
        )
        if options.json:
            with JsonStream("predictions", {"out": options.out}) as stream:
                for answer in answers:
                    stream.add(answer.to_json())
        elif options.out is None:
            for line in table_lines(answers):
                print(line, flush=True)
        else:
            for _ in answers:
                pass
    progress.summarise(options.out)
