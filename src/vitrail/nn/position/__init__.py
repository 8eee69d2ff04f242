"""Kinds of positional information: one file a kind, one row each in `POSITIONS`."""

from vitrail.core.table import Table
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig
from vitrail.nn.position.learned_1d import Learned1d
from vitrail.nn.position.learned_1d_config import Learned1dConfig
from vitrail.nn.position.learned_2d import Learned2d, Learned2dConfig
from vitrail.nn.position.none import NoPositionConfig
from vitrail.nn.position.relative import Relative, RelativeConfig
from vitrail.nn.position.relative_bias import RelativeBias, RelativeBiasConfig
from vitrail.nn.position.rope_2d import Rope2d, Rope2dConfig
from vitrail.nn.position.sincos_2d import Sincos2d, Sincos2dConfig

_ROWS = (
    NoPositionConfig, Learned1dConfig, Learned2dConfig, RelativeConfig, RelativeBiasConfig, Sincos2dConfig,
    Rope2dConfig,
)  # fmt: skip
POSITIONS: Table[type[PositionConfig]] = Table("position kind", {row.kind: row for row in _ROWS})

__all__ = [
    "POSITIONS",
    "Layout",
    "Learned1d",
    "Learned1dConfig",
    "Learned2d",
    "Learned2dConfig",
    "NoPositionConfig",
    "Position",
    "PositionConfig",
    "Relative",
    "RelativeBias",
    "RelativeBiasConfig",
    "RelativeConfig",
    "Rope2d",
    "Rope2dConfig",
    "Sincos2d",
    "Sincos2dConfig",
]
