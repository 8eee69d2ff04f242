"""How a kind of position is chosen."""

from __future__ import annotations

from typing import Any

from vitrail.core.config import Component
from vitrail.core.table import Table
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position


class PositionConfig(Component):
    """Choose a kind of position; a callable `layout → Position` is accepted in its place."""

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        from vitrail.nn.position import POSITIONS

        return POSITIONS

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""
        raise NotImplementedError
