"""The `vitrail` command: find the verb, call it, turn what it raises into words and an exit code."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType

from vitrail import __version__
from vitrail.cli.json_stream import explain_error, is_on_stdout
from vitrail.cli.parser import Parser
from vitrail.core.errors import UsageError, VitrailError
from vitrail.core.table import Table

VERBS: Table[str] = Table(
    "verb",
    {
        "demo": "train on the digits that come with vitrail, in under a minute",
        "fit": "train a classifier on your images",
        "check": "say what is wrong with labelled images before anything learns from them",
        "evaluate": "measure a trained model on labelled images",
        "predict": "classify images",
        "embed": "compute features of images, for searching, clustering or another classifier",
        "explain": "show what a model looks at",
        "inspect": "see inside a model: filters, positions, and what attention does in each layer",
        "study": "repeat a study of the ViT paper on a laptop",
        "convert": "write a model in the format of another library, and prove that it answers the same",
        "models": "list the models, with their cost",
    },
    error=UsageError,
)


def build_parser(verb: str | None = None) -> tuple[Parser, Parser | None]:
    """Build the parser.

    Args:
        verb: the verb whose flags are wanted; those of the others are not built.

    Returns:
        The whole parser, and the verb's.
    """
    parser = Parser(
        prog="vitrail", description="The Vision Transformer toolkit: images in, a classifier you can trust out."
    )
    parser.add_argument("--version", action="version", version=f"vitrail {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    chosen = None
    for name, summary in VERBS.items():
        sub = verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        sub.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")
        if name == verb:
            _module(name).add_arguments(sub)
            chosen = sub
    return parser, chosen


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"vitrail.cli.{verb}")


def execute(arguments: Sequence[str]) -> None:
    """Parse and carry out one command.

    Args:
        arguments: what follows `vitrail`.

    Raises:
        VitrailError: for anything the user can mend.
    """
    verb = next((argument for argument in arguments if not argument.startswith("-")), None)
    if verb is not None:
        _ = VERBS[verb]
    parser, sub = build_parser(verb)
    options, unknown = parser.parse_known_args(list(arguments))
    (sub or parser).refuse_unknown(unknown)
    if options.verb is None:
        parser.print_help()
        return
    _module(options.verb).run(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows `vitrail`; None for the process's own.

    Returns:
        Exit code: 0 done; 1 our bug; 2 what was given is wrong; 3 non-finite numbers; 74 storage failed; 130 and 143
        interrupted.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        execute(given)
    except VitrailError as error:
        _complain(*explain_error(error), as_json and not is_on_stdout(error))
        return error.exit_code
    except KeyboardInterrupt as error:
        _complain(*explain_error(error), as_json and not is_on_stdout(error))
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except argparse.ArgumentError as error:
        _complain(str(error), "", as_json)
        return 2
    except Exception as error:
        traceback.print_exc()
        _complain(*explain_error(error), as_json and not is_on_stdout(error))
        return 1
    return 0


def _complain(message: str, hint: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"error": message, "hint": hint}, ensure_ascii=False))
    print(f"error: {message}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def run() -> None:
    """Be the console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no text
    sys.exit(main())
