"""`vitrail explain`."""

from __future__ import annotations

import argparse
import sys

from vitrail.cli.reference import add_reference, add_sizes, load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    add_sizes(parser)
    parser.add_argument("paths", metavar="IMAGE", nargs="+", help="images, folders of images, or glob patterns")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for the pictures and explanations.json")
    parser.add_argument("--overwrite", action="store_true", help="replace the explanations in --out")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Draw what a model looks at, and say where.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.explain import explain_paths

    stream = explain_paths(load_reference(options), options.paths, options.out, options.overwrite)
    explained = []
    for one in stream:
        record = one.to_json()
        explained.append(record)
        if not options.json:
            answer = "" if record["label"] is None else f"{record['label']} {100 * record['probability']:.1f} %"
            print(
                "\t".join(
                    [one.path, answer, *record["files"]] if one.error is None else [one.path, f"error: {one.error}"]
                )
            )
    failed = sum(record["error"] is not None for record in explained)
    if failed:
        print(f"warning: {failed} of {len(explained)} images could not be used", file=sys.stderr)
    if options.json:
        print_json({"explanations": explained, "out": options.out})
