"""Normalisation of tokens: the table of kinds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from vitrail.core.config import Component, require
from vitrail.core.table import Table


class NormConfig(Component):
    """Choose how tokens are normalised; a callable `dim → module` is accepted in its place."""

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        return NORMS

    def build(self, dim: int) -> nn.Module:
        """Build the module for tokens of width `dim`."""
        raise NotImplementedError


@dataclass(frozen=True)
class LayerNormConfig(NormConfig):
    """Choose layer normalisation.

    Args:
        eps: added to the variance; 1e-6 in the paper's code, timm and torchvision, 1e-12 in transformers' ViT.

    Raises:
        ConfigError: for a negative `eps`.

    Source:
        Ba et al. 2016 (arXiv 1607.06450).
    """

    kind: ClassVar[str] = "layer_norm"
    eps: float = 1e-6

    def __post_init__(self) -> None:
        require(0 <= self.eps < math.inf, "norm.eps", self.eps, "0 or more")

    def build(self, dim: int) -> nn.Module:
        """Build the module for tokens of width `dim`."""
        return nn.LayerNorm(dim, eps=self.eps)


@dataclass(frozen=True)
class RmsNormConfig(NormConfig):
    """Choose normalisation by the root mean square, without mean and bias.

    Args:
        eps: added to the mean square.

    Raises:
        ConfigError: for a negative `eps`.

    Source:
        Zhang and Sennrich 2019 (arXiv 1910.07467).
    """

    kind: ClassVar[str] = "rms_norm"
    eps: float = 1e-6

    def __post_init__(self) -> None:
        require(0 <= self.eps < math.inf, "norm.eps", self.eps, "0 or more")

    def build(self, dim: int) -> nn.Module:
        """Build the module for tokens of width `dim`."""
        return nn.RMSNorm(dim, eps=self.eps)


@dataclass(frozen=True)
class NoNormConfig(NormConfig):
    """Choose to leave tokens as they are, for what is normalised already, such as the features of a plain ResNet."""

    kind: ClassVar[str] = "none"

    def build(self, dim: int) -> nn.Module:
        """Build the identity."""
        return nn.Identity()


NORMS: Table[type[NormConfig]] = Table(
    "norm", {row.kind: row for row in (LayerNormConfig, RmsNormConfig, NoNormConfig)}
)
