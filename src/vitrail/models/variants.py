"""The table of variants: every name that `create_model` knows, as data. Torch is not imported here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from vitrail.core.errors import ConfigError
from vitrail.core.table import Table, did_you_mean
from vitrail.models.convolutional import SHORT_NAMES, stem_rows
from vitrail.models.families import family_rows
from vitrail.models.sizes import LONG_NAMES, SIZES

Fields = dict[str, Any]

IMAGE_SIZES = {8: (224, 384), 14: (224, 336, 518), 16: (224, 384, 512), 32: (224, 384)}

SMALL_IMAGES = (
    ("pico", 4, 28),
    ("pico", 16, 96),
    ("nano", 2, 8),
    ("micro", 4, 16),
    ("micro", 4, 28),
    ("micro", 4, 32),
    ("mini", 4, 32),
    ("mini", 8, 64),
    ("mini", 8, 96),
)
CONV: Fields = {"stem": "conv", "pool": "mean", "class_token": False}
STEM_SETTINGS: dict[tuple[str, int], Fields] = {
    ("pico", 4): {"stem.widths": (64, 128), "stem.strides": (2, 2)},
    ("pico", 16): {"stem.widths": (32, 64, 128), "stem.strides": (2, 2, 2)},
}
"""Size and patch whose stem has settings of its own: a wide one before a short encoder, at half resolution at once."""


def _rows() -> Iterator[tuple[str, Fields]]:
    for short, long in LONG_NAMES.items():
        for patch, image_sizes in IMAGE_SIZES.items():
            for image in image_sizes:
                yield f"vit_{long}_patch{patch}_{image}", {**SIZES[short], "patch_size": patch, "img_size": image}
    for short in ("Ti", "S", "B"):
        for distilled in (False, True):
            for image in (224, 384):
                name = f"deit_{LONG_NAMES[short]}{'_distilled' * distilled}_patch16_{image}"
                yield name, {**SIZES[short], "patch_size": 16, "img_size": image, "distilled": distilled}
    for short, patch in (("B", 16), ("B", 32), ("L", 16), ("L", 32), ("H", 14)):
        fields = {**SIZES[short], "patch_size": patch, "img_size": 224, "num_classes": 21843, "has_logits": True}
        yield f"vit_{LONG_NAMES[short]}_patch{patch}_224_in21k", fields
    for size, patch, image in SMALL_IMAGES:
        fields = {**SIZES[size], **CONV, **STEM_SETTINGS.get((size, patch), {}), "patch_size": patch, "img_size": image}
        yield f"vit_{size}_conv_patch{patch}_{image}", fields
    yield from family_rows()
    yield from stem_rows()


VARIANTS: Table[Fields] = Table("model", dict(_rows()), listing="`vitrail models` lists all names")

_SHORT = re.compile(r"([A-Za-z][A-Za-z0-9-]*)/(\d+)")


def variant_fields(name: str) -> Fields:
    """Look up what a name stands for.

    Args:
        name: a row of `VARIANTS`; or a short one, which means 224 pixels: SIZE/PATCH with a row of `SIZES`, such as
            "B/16", or one of `SHORT_NAMES`, such as "R50+B/16" and "R50x1".

    Returns:
        Flat fields for `ViTConfig.of`.

    Raises:
        ConfigError: for an unknown name, with the nearest ones.
    """
    name = SHORT_NAMES.get(name, name)
    match = _SHORT.fullmatch(name)
    if match and name not in VARIANTS:
        size, patch = match.group(1), int(match.group(2))
        if size in SIZES and patch >= 1:
            return {**SIZES[size], "patch_size": patch, "img_size": 224}
    if name in VARIANTS:
        return dict(VARIANTS[name])
    raise unknown_variant(name)


def unknown_variant(name: str) -> ConfigError:
    """Make the error for a name that no variant has.

    Args:
        name: what was typed.

    Returns:
        The error, its hint naming the nearest variants.
    """
    known = [*VARIANTS, *SHORT_NAMES, *(f"{size}/{patch}" for size in LONG_NAMES for patch in IMAGE_SIZES)]
    return ConfigError(f"unknown model {name!r}", hint=did_you_mean(name, known, "`vitrail models` lists all names"))
