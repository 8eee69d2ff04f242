"""`vitrail study`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from vitrail.cli.parser import positive_float, positive_int

if TYPE_CHECKING:
    from vitrail.studies.run import StudyRun


ALL = "all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags.

    Args:
        parser: of this verb.
    """
    parser.add_argument("name", metavar="NAME", nargs="?", help="which, or all; left out: list the studies")
    parser.add_argument("--out", metavar="DIR", help="folder, gone on with if it holds runs (default: runs/study-NAME)")
    parser.add_argument("--minutes", type=positive_float, metavar="N", help="time for everything (default: 20)")
    parser.add_argument("--data", metavar="DATA", help="data reference (default: the study's)")
    parser.add_argument("--cells", nargs="+", metavar="CELL", default=[], help="only these, and what they start from")
    parser.add_argument("--seeds", type=positive_int, metavar="N", help="trainings of each cell (default: by time)")
    parser.add_argument(
        "--processes", type=positive_int, metavar="N", help="trainings side by side, one thread each (default: cores)"
    )
    parser.add_argument(
        "--scale",
        choices=("laptop", "paper"),
        default="laptop",
        help="paper: say what the paper's own configuration costs, and check it (default: laptop)",
    )
    parser.add_argument("--launch", action="store_true", help="with --scale paper: train it, one fit a run")
    parser.add_argument("--overwrite", action="store_true", help="forget the runs in --out")


def run(options: argparse.Namespace) -> None:
    """Carry out a study, or list them.

    Args:
        options: the parsed flags.
    """
    from vitrail.cli.console import Console
    from vitrail.cli.progress import ended_by_sigterm

    if options.name is None:
        _list(options.json)
        return
    if options.scale == "paper" or options.launch:
        _full(options)
        return
    if options.name == ALL:
        _all(options)
        return
    from vitrail.studies.run import run_study

    with ended_by_sigterm(), Console() as console:
        result = run_study(
            options.name,
            out=options.out,
            data=options.data,
            minutes=options.minutes,
            processes=options.processes,
            seeds=options.seeds,
            cells=options.cells,
            overwrite=options.overwrite,
            listener=console,
        )
    _answer(result, options.json)


def _full(options: argparse.Namespace) -> None:
    from dataclasses import asdict

    from vitrail.cli.console import Console, print_json
    from vitrail.core.errors import UsageError
    from vitrail.studies.full import describe_full, launch_full

    asked = {"--minutes": options.minutes, "--processes": options.processes, "--overwrite": options.overwrite}
    idle = [flag for flag, value in asked.items() if value]
    if idle or options.scale != "paper":
        raise UsageError(f"{idle[0] if idle else '--launch'} is for the other scale", hint="vitrail study --help")
    if options.launch:
        with Console() as console:
            wish = {"out": options.out, "seeds": options.seeds, "cells": options.cells, "listener": console}
            result = launch_full(options.name, options.data, **wish)
        _answer(result, options.json)
        return
    rows = describe_full(options.name, options.data, options.cells)
    if options.json:
        print_json(
            {"study": options.name, "scale": "paper", "data": options.data, "cells": [asdict(row) for row in rows]}
        )
        return
    width = max(len(row.name) for row in rows)
    print(f"{'cell':{width}}  {'parameters':>13}  {'MACs':>9}  {'tokens':>6}  epochs  batch  exaFLOPs")
    for row in rows:
        cost = f"{row.parameters:>13,}  {row.macs / 1e9:>7.2f} G  {row.tokens:>6}  {row.epochs:>6}  {row.batch_size:>5}"
        print(f"{row.name:{width}}  {cost}  {'' if row.exaflops is None else f'{row.exaflops:.3g}':>8}")
    if options.data is None:
        print("\nwith --data, the data are checked and a training's cost is said; with --launch, it is begun")


def _all(options: argparse.Namespace) -> None:
    from vitrail.cli.console import Console, print_json
    from vitrail.cli.progress import ended_by_sigterm
    from vitrail.core.errors import UsageError
    from vitrail.report.text import duration
    from vitrail.studies.book import run_all_studies

    if options.cells:
        raise UsageError("--cells is for one study", hint="name the study")
    with ended_by_sigterm(), Console() as console:
        result = run_all_studies(
            out=options.out,
            data=options.data,
            minutes=options.minutes,
            processes=options.processes,
            seeds=options.seeds,
            overwrite=options.overwrite,
            listener=console,
        )
    if options.json:
        print_json(result.to_json())
        return
    for run in result.runs:
        print(run.name)
        _print_claims(run)
    print(f"\n{duration(result.seconds)}; book: {result.page}")


def _answer(result: StudyRun, as_json: bool) -> None:
    from vitrail.cli.console import print_json

    if as_json:
        print_json(result.to_json())
    else:
        _print(result)


def _list(as_json: bool) -> None:
    from vitrail.cli.console import print_json
    from vitrail.studies.table import STUDIES

    rows: list[dict[str, Any]] = [
        {"study": name, "paper": study.paper.where, "question": study.question, "cells": len(study.laptop.cells)}
        for name, study in STUDIES.items()
    ]
    if as_json:
        print_json({"studies": rows})
        return
    width = max(len(row["study"]) for row in rows)
    for row in rows:
        print(f"{row['study']:{width}}  {row['question']} ({row['paper']})")


def _print(result: StudyRun) -> None:
    from vitrail.report.text import duration

    results, width = result.results, max(len(cell) for cell in result.results.cells)
    for cell in results.cells:
        mean = results.mean(cell)
        if mean.n:
            low, high = mean.interval()
            known = f"  {100 * low:6.2f} … {100 * high:6.2f}" if mean.n > 1 else ""
            print(f"{cell:{width}}  {100 * mean.value:6.2f}{known}  n = {mean.n}")
    print()
    _print_claims(result)
    print(f"\n{duration(result.seconds)}; page: {result.page}")


def _print_claims(result: StudyRun) -> None:
    from vitrail.studies.table import STUDIES

    for claim, verdict in zip(STUDIES[result.name].claims, result.verdicts, strict=True):
        print(f"{verdict.kind}: {claim.sentence}")
