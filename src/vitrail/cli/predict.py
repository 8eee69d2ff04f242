"""`vitrail predict`."""

from __future__ import annotations

import argparse
import sys

from vitrail.cli.parser import positive_int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("reference", metavar="REF", help="run folder or model file")
    parser.add_argument("paths", metavar="PATH", nargs="+", help="images, folders of images, or glob patterns")
    parser.add_argument("--out", metavar="FILE", help="write the answers to a .csv, .json, .jsonl or .parquet file")
    parser.add_argument("--top", type=positive_int, default=1, metavar="K", help="name the K best classes (default: 1)")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Classify, and print or write the answers.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.predict import predict_paths

    answers = predict_paths(options.reference, options.paths, options.out, options.top, options.device)
    if options.json:
        print_json({"predictions": [answer.to_json() for answer in answers], "out": options.out})
        return
    count = failed = 0
    for answer in answers:
        count += 1
        failed += answer.error is not None
        if options.out is None:
            best = "  ".join(f"{label} {100 * probability:.1f} %" for label, probability in answer.top)
            print(f"{answer.path}\t{best if answer.error is None else 'error: ' + answer.error}", flush=count <= 1)
    if options.out is not None:
        print(f"{count} answers in {options.out}", file=sys.stderr)
    if failed:
        print(f"warning: {failed} of {count} images could not be used", file=sys.stderr)
