"""`vitrail explain`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from vitrail.cli.reference import add_reference, add_sizes, load_reference


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    add_reference(parser)
    add_sizes(parser)
    parser.add_argument("paths", metavar="IMAGE", nargs="+", help="images, folders of images, or glob patterns")
    parser.add_argument("--out", metavar="DIR", required=True, help="folder for pictures, page and numbers")
    parser.add_argument(
        "--method", metavar="NAME", nargs="+", action="extend", default=[],
        help="last, rollout, attention, heads, gradient_attention, integrated_gradients (default: last and rollout; "
        "more by what else is asked)",
    )  # fmt: skip
    parser.add_argument("--class", metavar="NAME", dest="target", help="class to ask about (default: the best one)")
    parser.add_argument("--layer", metavar="L", type=int, help="block whose attention to show, from 0")
    parser.add_argument("--head", metavar="H", type=int, help="head whose attention to show, from 0")
    parser.add_argument("--faithfulness", action="store_true", help="measure which map to believe")
    parser.add_argument(
        "--fill",
        metavar="NAME",
        default="blur",
        help="blur or mean: what stands for a patch that is gone (default: blur)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace the explanations in --out")
    parser.add_argument("--device", metavar="D", default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")


def run(options: argparse.Namespace) -> None:
    """Draw what a model looks at, and say where.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import print_json
    from vitrail.jobs.explain import explain_paths
    from vitrail.jobs.inquiry import Inquiry

    inquiry = Inquiry(
        tuple(options.method), options.target, options.layer, options.head, options.faithfulness, options.fill
    )
    stream = explain_paths(load_reference(options), options.paths, options.out, options.overwrite, inquiry=inquiry)
    explained = []
    for one in stream:
        record = one.to_json()
        explained.append(record)
        if not options.json:
            print("\t".join([one.path, *_answer(record)]))
    failed = sum(record["error"] is not None for record in explained)
    if failed:
        print(f"warning: {failed} of {len(explained)} images could not be used", file=sys.stderr)
    if options.json:
        print_json({"explanations": explained, "out": options.out})


def _answer(record: dict[str, Any]) -> list[str]:
    if record["error"] is not None:
        return [f"error: {record['error']}"]
    label, measured = record["label"], record.get("faithfulness")
    answer = "" if label is None else f"{label} {100 * record['probability']:.1f} %"
    if measured is None:
        return [answer, *record["files"]]
    believed = measured["believed"]
    return [answer, *record["files"], "no map beats chance" if believed is None else f"believe {believed}"]
