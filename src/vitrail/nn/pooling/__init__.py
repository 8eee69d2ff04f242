"""Kinds of pooling, from tokens to one vector: one file a kind, one row each in `POOLS`."""

from vitrail.core.table import Table
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.pooling.class_token import ClassTokenPool, ClassTokenPoolConfig
from vitrail.nn.pooling.map import MapPool, MapPoolConfig
from vitrail.nn.pooling.mean import MeanPool, MeanPoolConfig
from vitrail.nn.pooling.none import NoPool, NoPoolConfig
from vitrail.nn.pooling.seq import SeqPool, SeqPoolConfig

POOLS: Table[type[PoolConfig]] = Table(
    "pool",
    {row.kind: row for row in (ClassTokenPoolConfig, MeanPoolConfig, MapPoolConfig, SeqPoolConfig, NoPoolConfig)},
)

__all__ = [
    "POOLS",
    "ClassTokenPool",
    "ClassTokenPoolConfig",
    "MapPool",
    "MapPoolConfig",
    "MeanPool",
    "MeanPoolConfig",
    "NoPool",
    "NoPoolConfig",
    "PoolConfig",
    "SeqPool",
    "SeqPoolConfig",
]
