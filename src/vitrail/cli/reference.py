"""The flags by which a trained model is named, and what is said when it is loaded."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitrail.jobs.predictor import Predictor

VARIANT = "what the weights are, such as S/16 or deit_small_patch16_224, where their file does not say"


def add_reference(parser: argparse.ArgumentParser) -> None:
    """Declare REF, and `--variant` beside it.

    Args:
        parser: of the verb.
    """
    parser.add_argument("reference", metavar="REF", help="run folder, weights, hf:owner/name, or a published name")
    parser.add_argument("--variant", metavar="NAME", help=VARIANT)


def load_reference(options: argparse.Namespace) -> Predictor:
    """Load the model that was named, and say on stderr what its file left open.

    Args:
        options: the parsed flags, `device` among them.

    Returns:
        The Predictor.

    Raises:
        WeightsError: if there is no such model, or it is not of the variant.
        ConfigError: for an unknown variant or device.
    """
    from vitrail.jobs.predictor import load

    predictor = load(options.reference, options.device, options.variant)
    for note in predictor.report.notes if predictor.report else ():
        print(f"note: {note}", file=sys.stderr)
    return predictor
