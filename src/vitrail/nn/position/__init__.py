"""Kinds of positional information: one file a kind, one row each in `POSITIONS`."""

from vitrail.core.table import Table
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig
from vitrail.nn.position.learned_1d import Learned1d, Learned1dConfig
from vitrail.nn.position.none import NoPositionConfig

POSITIONS: Table[type[PositionConfig]] = Table(
    "position kind", {row.kind: row for row in (NoPositionConfig, Learned1dConfig)}
)

__all__ = [
    "POSITIONS",
    "Layout",
    "Learned1d",
    "Learned1dConfig",
    "NoPositionConfig",
    "Position",
    "PositionConfig",
]
