"""The `.pth` files of facebookresearch/deit: timm's names under the key "model"."""

from __future__ import annotations

from typing import ClassVar

from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format, Reading
from vitrail.weights.formats.timm import KEYS, conv_patches, is_deit
from vitrail.weights.preprocessing import PREPROCESSING


class Deit(Format):
    """Read DeiT's own checkpoints."""

    name: ClassVar[str] = "deit"
    what: ClassVar[str] = "a .pth of facebookresearch/deit"
    resize: ClassVar[str] = "deit"

    def matches(self, content: Content) -> bool:
        """Look for timm's names in a pickled dictionary under the key "model"."""
        return is_deit(content)

    def read(self, content: Content, variant: str | None) -> Reading:
        """Take the names as they are; preprocess as DeiT's evaluation does."""
        state, unknown = KEYS.to_ours(content.tensors)
        return Reading(conv_patches(state), preprocessing=PREPROCESSING["deit"], unknown=tuple(unknown))
