"""The catalogue of published weights: `name.tag` → where they are, their licence, and how good they are said to be.

Its rows are in `published.py`. Torch is not imported here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitrail.core.table import Table
from vitrail.data.spec import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, ImageSpec
from vitrail.weights.published import DINO_2_ROWS, DINO_3_ROWS, ROWS


@dataclass(frozen=True)
class Pretrained:
    """Describe one set of published weights.

    Args:
        repo: "owner/name" on the Hub.
        architecture: name of the model, which `create_model` may know.
        licence: of the weights.
        spec: the preprocessing that they want.
        parameters: how many there are, those of the head included.
        classes: of the head; 0 for none.
        top1: part of ImageNet-1k's validation images that it gets right, 0 … 1, as published; None if not known here.
        source: who published that figure, and how it was measured; "" if there is none.
    """

    repo: str
    architecture: str
    licence: str
    spec: ImageSpec
    parameters: int
    classes: int
    top1: float | None = None
    source: str = ""


PIXELS: Table[Mapping[str, Any]] = Table(
    "preprocessing",
    {
        "half": {"mean": HALF, "std": HALF},
        "half_squash": {"mean": HALF, "std": HALF, "mode": "squash"},
        "imagenet": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
        "dinov2": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "crop_fraction": 0.875},
        "dinov3": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "mode": "squash", "interpolation": "bilinear"},
        "clip": {"mean": CLIP_MEAN, "std": CLIP_STD},
        "clip_squash": {"mean": CLIP_MEAN, "std": CLIP_STD, "mode": "squash"},
    },
)

APACHE = "apache-2.0"


def _of_timm(
    name: str, pixels: str, side: int, crop: float, parameters: int, classes: int,
    top1: float | None = None, licence: str = APACHE,
) -> Pretrained:  # fmt: skip
    spec = ImageSpec((side, side), crop_fraction=crop, **PIXELS[pixels])
    part = None if top1 is None else round(top1 / 100, 6)
    source = "" if top1 is None else "timm, results-imagenet.csv"
    return Pretrained(f"timm/{name}", name.partition(".")[0], licence, spec, parameters, classes, part, source)


def _of_facebook(
    pixels: str, licence: str, repo: str, architecture: str, parameters: int, top1: float | None = None
) -> Pretrained:
    part = None if top1 is None else round(top1 / 100, 6)
    source = "" if top1 is None else "facebookresearch/dinov2, linear classifier on frozen features"
    spec = ImageSpec(**PIXELS[pixels])
    return Pretrained(f"facebook/{repo}", architecture, licence, spec, parameters, 0, part, source)


PRETRAINED: Table[Pretrained] = Table(
    "set of weights",
    {
        **{name: _of_timm(name, *row) for name, row in ROWS.items()},
        **{name: _of_facebook("dinov2", APACHE, *row) for name, row in DINO_2_ROWS.items()},
        **{name: _of_facebook("dinov3", "dinov3-license", *row) for name, row in DINO_3_ROWS.items()},
    },
    listing="`vitrail models --pretrained` lists all names",
)


def list_pretrained(pattern: str = "*") -> list[str]:
    """List the names of published weights.

    Args:
        pattern: shell pattern such as "*base*"; a plain word matches anywhere in a name.

    Returns:
        Names, in the order of the table; each is a reference, which `load` and `fit` fetch from the Hub.
    """
    wanted = pattern if any(character in pattern for character in "*?[") else f"*{pattern}*"
    return [name for name in PRETRAINED if fnmatch.fnmatchcase(name, wanted)]


def find_pretrained(reference: str) -> Pretrained | None:
    """Look up what a reference stands for.

    Args:
        reference: a row of `PRETRAINED`, with or without the owner "timm/" before it.

    Returns:
        The row; None if there is none.
    """
    name = reference.removeprefix("timm/")
    found: Pretrained | None = PRETRAINED.get(name)
    return found if found is None or reference in (name, found.repo) else None


def pretrained_of(architecture: str) -> list[str]:
    """List the published weights of an architecture.

    Args:
        architecture: name of a model, such as a row of `VARIANTS`.

    Returns:
        Rows of `PRETRAINED`.
    """
    return [name for name, row in PRETRAINED.items() if row.architecture == architecture]
