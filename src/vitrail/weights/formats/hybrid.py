"""What the parts of a hybrid's ResNet are called: here, which is as in timm, and by Google."""

from __future__ import annotations

from typing import NamedTuple

BACKBONE = "patch_embed.backbone"
ROOTS = (f"{BACKBONE}.stem", BACKBONE)
"""Where the first convolution lies: with stages after it, and alone (R+Ti/16)."""
MOST_STAGES = 4


class Part(NamedTuple):
    """Name one module; "{i}" and "{n}" stand for the number of a bottleneck in its stage, from 0 and from 1.

    Args:
        ours: here and in timm.
        theirs: in Google's files.
    """

    ours: str
    theirs: str


def convolutions(root: str) -> list[Part]:
    """List the convolutions, which have no bias.

    Args:
        root: row of `ROOTS`.

    Returns:
        Those of the root, then those of every stage.
    """
    return [Part(f"{root}.conv", "conv_root"), *_parts("conv", "conv")]


def norms(root: str) -> list[Part]:
    """List the group normalisations.

    Args:
        root: row of `ROOTS`.

    Returns:
        That of the root, then those of every stage.
    """
    return [Part(f"{root}.norm", "gn_root"), *_parts("norm", "gn")]


def _parts(ours: str, theirs: str) -> list[Part]:
    parts = []
    for stage in range(MOST_STAGES):
        here, there = f"{BACKBONE}.stages.{stage}.blocks.{{i}}", f"block{stage + 1}/unit{{n}}"
        parts += [Part(f"{here}.{ours}{number}", f"{there}/{theirs}{number}") for number in (1, 2, 3)]
        parts.append(Part(f"{here}.downsample.{ours}", f"{there}/{theirs}_proj"))
    return parts
