"""The flags by which a trained model is named, and what is said when it is loaded."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from vitrail.cli.parser import positive_int

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


def add_sizes(parser: argparse.ArgumentParser) -> None:
    """Declare `--dynamic` and `--image-size`, for what shows images to the model.

    Args:
        parser: of the verb.
    """
    parser.add_argument(
        "--dynamic",
        action="store_true",
        help="take whole images at their own aspect, whatever the model was trained on",
    )
    parser.add_argument(
        "--image-size", type=positive_int, metavar="S",
        help="side in pixels, in place of the model's; with --dynamic, of the square with as many patches",
    )  # fmt: skip


def load_reference(options: argparse.Namespace) -> Predictor:
    """Load the model that was named, and say on stderr what its file left open.

    Args:
        options: the parsed flags; `device` and those of `add_sizes` among them.

    Returns:
        The Predictor.

    Raises:
        WeightsError: if there is no such model, or it is not of the variant.
        ConfigError: for an unknown variant or device, or a size that does not suit the patches.
    """
    from vitrail.jobs.predictor import load

    predictor = load(
        options.reference,
        options.device,
        options.variant,
        dynamic=options.dynamic,
        image_size=options.image_size,
    )
    for note in predictor.report.notes if predictor.report else ():
        print(f"note: {note}", file=sys.stderr)
    return predictor
