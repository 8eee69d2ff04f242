"""Low-rank adaptation: linear layers that learn by two thin matrices beside frozen weights."""

from __future__ import annotations

import copy
import math
import re
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn
from torch.nn.functional import linear

from vitrail.core.config import require
from vitrail.core.errors import ConfigError
from vitrail.nn.shapes import Tokens

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class LoraConfig:
    r"""Describe which linear layers are adapted, and by how much.

    Args:
        targets: pattern that must match the whole name of a linear layer, such as `blocks\..*\.qkv`; "" for none.
        rank: columns of the thin matrices, 1 or more.
        alpha: their product is scaled by alpha ÷ rank, greater than 0.

    Raises:
        ConfigError: for a value out of its range, or a pattern that is not a regular expression.

    Source:
        Hu et al. 2021 (arXiv 2106.09685).
    """

    targets: str = ""
    rank: int = 8
    alpha: float = 16.0

    def __post_init__(self) -> None:
        require(self.rank >= 1, "lora.rank", self.rank, "1 or more")
        require(0 < self.alpha < math.inf, "lora.alpha", self.alpha, "greater than 0")
        try:
            re.compile(self.targets)
        except re.error as error:
            raise ConfigError(f"lora.targets = {self.targets!r} is not a regular expression: {error}") from error


class LoraLinear(nn.Linear):
    """Add to a linear layer the product of two thin matrices; names of its own weights stay.

    Args:
        plain: the layer to adapt, whose weight and bias are shared.
        rank: columns of the thin matrices.
        alpha: their product is scaled by alpha ÷ rank.

    Source:
        Hu et al. 2021, section 4.1: A is drawn from a normal, of variance 1 ÷ inputs here; B is zero.
    """

    def __init__(self, plain: nn.Linear, rank: int, alpha: float) -> None:
        super().__init__(plain.in_features, plain.out_features, plain.bias is not None, device="meta")
        self.weight, self.bias = plain.weight, plain.bias
        self.scale = alpha / rank
        self.lora_a = nn.Parameter(plain.weight.new_empty(rank, plain.in_features))
        self.lora_b = nn.Parameter(plain.weight.new_zeros(plain.out_features, rank))
        nn.init.normal_(self.lora_a, std=plain.in_features**-0.5)

    def forward(self, x: Tokens) -> Tokens:
        return super().forward(x) + linear(linear(x, self.lora_a), self.lora_b) * self.scale

    def merged(self) -> nn.Linear:
        """Make a plain layer that computes the same.

        Returns:
            A layer with weight W + scale · B·A, which shares nothing.
        """
        plain = nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")
        with torch.no_grad():
            plain.weight = nn.Parameter(self.weight + self.scale * (self.lora_b @ self.lora_a))
        plain.bias = copy.deepcopy(self.bias)
        return plain.train(self.training)


def adapt(model: nn.Module, config: LoraConfig) -> list[str]:
    """Adapt the linear layers of a model that a pattern matches.

    Args:
        model: changed in place.
        config: which layers, and by how much.

    Returns:
        Names of the adapted layers.

    Raises:
        ConfigError: if the pattern matches no linear layer.
    """
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    names = [name for name in layers if re.fullmatch(config.targets, name)]
    if not names:
        raise ConfigError(
            f"lora.targets = {config.targets!r} matches no linear layer",
            hint=f"the pattern must match a whole name, such as {', '.join(list(layers)[:4])}",
        )
    for name in names:
        model.set_submodule(name, LoraLinear(layers[name], config.rank, config.alpha))
    return names


def merge(model: Model) -> Model:
    """Turn an adapted model into a plain one that computes the same.

    Args:
        model: any; it stays as it is.

    Returns:
        A copy in which thin matrices are added to the weights; the model itself if it has none.
    """
    if not any(isinstance(module, LoraLinear) for module in model.modules()):
        return model
    plain = copy.deepcopy(model)
    for name, module in list(plain.named_modules()):
        if isinstance(module, LoraLinear):
            plain.set_submodule(name, module.merged())
    return plain
