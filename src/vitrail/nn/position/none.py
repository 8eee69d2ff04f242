"""No position: the image is a bag of patches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig


@dataclass(frozen=True)
class NoPositionConfig(PositionConfig):
    """Choose no position at all.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, row "No Pos. Emb.".
    """

    kind: ClassVar[str] = "none"

    def build(self, layout: Layout) -> Position:
        """Build the module: every hook does nothing."""
        return Position(layout)
