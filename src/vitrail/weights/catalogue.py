"""The catalogue of published weights: `name.tag` → where they are, their licence, and how good they are said to be.

Names and figures are timm's (version 1.0.31) wherever timm has the weights. Torch is not imported here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitrail.core.table import Table
from vitrail.data.spec import HALF, IMAGENET_MEAN, IMAGENET_STD, ImageSpec


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
        "imagenet": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
    },
)

APACHE = "apache-2.0"
ROWS: dict[str, tuple[Any, ...]] = {
    "vit_tiny_patch16_224.augreg_in21k": ("half", 224, 0.9, 9_740_115, 21843),
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 5_717_416, 1000, 75.452),
    "vit_tiny_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 5_790_376, 1000, 78.438),
    "vit_small_patch32_224.augreg_in21k": ("half", 224, 0.9, 30_903_507, 21843),
    "vit_small_patch32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 22_878_952, 1000, 76.01),
    "vit_small_patch32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 22_915_432, 1000, 80.476),
    "vit_small_patch16_224.augreg_in1k": ("half", 224, 0.9, 22_050_664, 1000, 78.842),
    "vit_small_patch16_224.augreg_in21k": ("half", 224, 0.9, 30_075_219, 21843),
    "vit_small_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 22_050_664, 1000, 81.402),
    "vit_small_patch16_384.augreg_in1k": ("half", 384, 1.0, 22_196_584, 1000),
    "vit_small_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 22_196_584, 1000, 83.814),
    "vit_base_patch32_224.augreg_in1k": ("half", 224, 0.9, 88_224_232, 1000, 74.908),
    "vit_base_patch32_224.augreg_in21k": ("half", 224, 0.9, 104_252_499, 21843),
    "vit_base_patch32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 88_224_232, 1000, 80.732),
    "vit_base_patch32_224.orig_in21k": ("half", 224, 0.9, 87_455_232, 0),
    "vit_base_patch32_224.sam_in1k": ("half", 224, 0.9, 88_224_232, 1000, 73.704),
    "vit_base_patch32_384.augreg_in1k": ("half", 384, 1.0, 88_297_192, 1000),
    "vit_base_patch32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 88_297_192, 1000, 83.358),
    "vit_base_patch16_224.augreg2_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 85.108),
    "vit_base_patch16_224.augreg_in1k": ("half", 224, 0.9, 86_567_656, 1000, 79.154),
    "vit_base_patch16_224.augreg_in21k": ("half", 224, 0.9, 102_595_923, 21843),
    "vit_base_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 84.534),
    "vit_base_patch16_224.orig_in21k": ("half", 224, 0.9, 85_798_656, 0),
    "vit_base_patch16_224.orig_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 81.782),
    "vit_base_patch16_224.sam_in1k": ("half", 224, 0.9, 86_567_656, 1000, 80.246),
    "vit_base_patch16_384.augreg_in1k": ("half", 384, 1.0, 86_859_496, 1000),
    "vit_base_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 86_859_496, 1000, 86.01),
    "vit_base_patch16_384.orig_in21k_ft_in1k": ("half", 384, 1.0, 86_859_496, 1000, 84.212),
    "vit_base_patch8_224.augreg2_in21k_ft_in1k": ("half", 224, 0.9, 86_576_872, 1000, 86.252),
    "vit_base_patch8_224.augreg_in21k": ("half", 224, 0.9, 102_605_139, 21843),
    "vit_base_patch8_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 86_576_872, 1000, 85.838),
    "vit_large_patch32_224.orig_in21k": ("half", 224, 0.9, 305_510_400, 0),
    "vit_large_patch32_384.orig_in21k_ft_in1k": ("half", 384, 1.0, 306_632_680, 1000, 81.508),
    "vit_large_patch16_224.augreg_in21k": ("half", 224, 0.9, 325_690_707, 21843),
    "vit_large_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 304_326_632, 1000, 85.856),
    "vit_large_patch16_224.orig_in21k": ("half", 224, 0.9, 303_301_632, 0),
    "vit_large_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 304_715_752, 1000, 87.096),
    "vit_huge_patch14_224.orig_in21k": ("half", 224, 0.9, 630_764_800, 0),
    "deit_tiny_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 5_717_416, 1000, 72.19),
    "deit_tiny_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 5_910_800, 1000, 74.538),
    "deit_small_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 22_050_664, 1000, 79.856),
    "deit_small_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 22_436_432, 1000, 81.204),
    "deit_base_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 86_567_656, 1000, 81.98),
    "deit_base_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 86_859_496, 1000, 83.108),
    "deit_base_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 87_338_192, 1000, 83.384),
    "deit_base_distilled_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 87_630_032, 1000, 85.438),
    "vit_base_patch16_224.mae": ("imagenet", 224, 0.9, 85_798_656, 0, None, "cc-by-nc-4.0"),
    "vit_large_patch16_224.mae": ("imagenet", 224, 0.9, 303_301_632, 0, None, "cc-by-nc-4.0"),
    "vit_huge_patch14_224.mae": ("imagenet", 224, 0.9, 630_764_800, 0, None, "cc-by-nc-4.0"),
    "vit_small_patch16_224.dino": ("imagenet", 224, 0.9, 21_665_664, 0),
    "vit_small_patch8_224.dino": ("imagenet", 224, 0.9, 21_670_272, 0),
    "vit_base_patch16_224.dino": ("imagenet", 224, 0.9, 85_798_656, 0),
    "vit_base_patch8_224.dino": ("imagenet", 224, 0.9, 85_807_872, 0),
}
"""Name in timm → row of `PIXELS`, side, part kept by the crop, parameters, classes, top-1 in % and licence if it is not
Apache's. Top-1: timm's results-imagenet.csv of 1.0.31, crop as here."""


def _of_timm(
    name: str, pixels: str, side: int, crop: float, parameters: int, classes: int,
    top1: float | None = None, licence: str = APACHE,
) -> Pretrained:  # fmt: skip
    spec = ImageSpec((side, side), crop_fraction=crop, **PIXELS[pixels])
    part = None if top1 is None else round(top1 / 100, 6)
    source = "" if top1 is None else "timm, results-imagenet.csv"
    return Pretrained(f"timm/{name}", name.partition(".")[0], licence, spec, parameters, classes, part, source)


PRETRAINED: Table[Pretrained] = Table(
    "set of weights",
    {name: _of_timm(name, *row) for name, row in ROWS.items()},
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
