"""Parts of other Vision Transformers that vitrail does not have yet, told by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable

PARTS = (
    (r"patch_embed\.backbone\.(bn1|conv1|\d)", "a ResNet stem with batch normalisation"),
    (r"conv_proj\.(\d|conv_)", "torchvision's convolutional stem"),
    (r"relative_position_bias_table|rel_pos", "this table of relative positions"),
)
"""Pattern of a name → the part it belongs to; the first that is found is named."""


def lacking_part(names: Iterable[str]) -> tuple[str, str] | None:
    """Find a part that vitrail does not have.

    Args:
        names: of tensors in a file.

    Returns:
        The part, and the name that shows it; None if there is none.
    """
    names = list(names)
    for pattern, part in PARTS:
        shown = next((name for name in names if re.search(pattern, name)), None)
        if shown is not None:
            return part, shown
    return None
