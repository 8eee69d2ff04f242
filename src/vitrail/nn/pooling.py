"""From the tokens of an image to one vector: the table of kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import Component
from vitrail.core.table import Table


class PoolConfig(Component):
    """Choose how tokens become one vector; a callable that builds the module is accepted in its place.

    `needs_class_token` says that the model must have one; `norm_after` that the final normalisation comes after
    pooling (timm's `fc_norm`) rather than before (`norm`).
    """

    needs_class_token: ClassVar[bool] = False
    norm_after: bool = False

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        return POOLS

    def build(self) -> nn.Module:
        """Build the module: (tokens, number of prefix tokens) → vector."""
        raise NotImplementedError


class ClassTokenPool(nn.Module):
    """Take the class token (the paper's equation 4)."""

    def forward(self, tokens: Float[Tensor, "batch tokens dim"], prefix_tokens: int) -> Float[Tensor, "batch dim"]:
        return tokens[:, 0]


class MeanPool(nn.Module):
    """Take the mean of the patches; tokens before them do not count."""

    def forward(self, tokens: Float[Tensor, "batch tokens dim"], prefix_tokens: int) -> Float[Tensor, "batch dim"]:
        return tokens[:, prefix_tokens:].mean(dim=1)


@dataclass(frozen=True)
class ClassTokenPoolConfig(PoolConfig):
    """Choose the class token.

    Source:
        Dosovitskiy et al. 2020, equation 4.
    """

    kind: ClassVar[str] = "class_token"
    needs_class_token: ClassVar[bool] = True

    def build(self) -> nn.Module:
        """Build the module."""
        return ClassTokenPool()


@dataclass(frozen=True)
class MeanPoolConfig(PoolConfig):
    """Choose the mean of the patches.

    Args:
        norm_after: normalise the mean, as timm does (`fc_norm`), rather than the tokens, as big_vision does (`norm`).

    Source:
        Dosovitskiy et al. 2020, appendix D.3 (GAP).
    """

    kind: ClassVar[str] = "mean"
    norm_after: bool = True

    def build(self) -> nn.Module:
        """Build the module."""
        return MeanPool()


POOLS: Table[type[PoolConfig]] = Table("pool", {row.kind: row for row in (ClassTokenPoolConfig, MeanPoolConfig)})
