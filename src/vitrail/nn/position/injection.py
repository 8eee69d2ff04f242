"""Where a kind acts: once at the stem, in every layer with weights of its own, or in every layer with the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

from torch import Tensor, nn

from vitrail.core.config import require
from vitrail.core.table import did_you_mean
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.config import PositionConfig
from vitrail.nn.position.resample import RULES
from vitrail.nn.shapes import Grid, Tokens


class AtEntrance(Position):
    """Add an absolute position as the tokens enter a block, in place of once at the stem.

    Args:
        layout: how the tokens are laid out.
        position: what is added. Its table is held here under the name that it has in a model.
    """

    def __init__(self, layout: Layout, position: Position) -> None:
        super().__init__(layout)
        self.position = position
        self.pos_embed = position.table()

    def enter(self, tokens: Tokens, grid: Grid) -> Tokens:
        """Add the absolute position."""
        return self.position.add(tokens, self.pos_embed, grid)

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Resize as the absolute position does."""
        return _resize_part(self.position, state, ("position.", ""), old, new)


class EachLayer(Position):
    """Give every block a position of its own.

    Args:
        layout: how the tokens are laid out.
        build: what builds the position of one block.
    """

    def __init__(self, layout: Layout, build: Callable[[Layout], Position]) -> None:
        super().__init__(layout)
        self.layers = nn.ModuleList(build(layout) for _ in range(layout.depth))

    @property
    def by_layer(self) -> list[Position]:
        """What each block is given: its own."""
        return [cast(Position, layer) for layer in self.layers]

    def resize(self, state: dict[str, Tensor], old: Grid, new: Grid) -> dict[str, Tensor]:
        """Resize every block's own."""
        for index, layer in enumerate(self.by_layer):
            state = _resize_part(layer, state, (f"position.layers.{index}.", "position."), old, new)
        return state


def _resize_part(
    part: Position, state: dict[str, Tensor], names: tuple[str, str], old: Grid, new: Grid
) -> dict[str, Tensor]:
    """Let a part resize its entries, which begin with the first name in the state and with the second one for it."""
    outside, inside = names
    own = {inside + name.removeprefix(outside): value for name, value in state.items() if name.startswith(outside)}
    resized = part.resize(own, old, new)
    return {**state, **{outside + name.removeprefix(inside): value for name, value in resized.items()}}


LayerPlace = Literal["every_layer", "every_layer_shared"]
Place = Literal["stem", LayerPlace]


def _require_place(at: str, places: Any) -> None:
    allowed = get_args(places)
    require(at in allowed, "position.at", at, ", ".join(allowed))


@dataclass(frozen=True)
class AbsoluteConfig(PositionConfig):
    """Choose a kind that is added to the tokens, and where.

    Args:
        at: "stem": once, before the first layer; "every_layer": as the tokens enter each layer, every layer learning
            its own; "every_layer_shared": as they enter each layer, the same in all.

    Raises:
        ConfigError: for another place.

    Source:
        Dosovitskiy et al. 2020, appendix D.4, the columns of table 8.
    """

    at: Place = "stem"

    def __post_init__(self) -> None:
        _require_place(self.at, Place)

    def absolute(self, layout: Layout) -> Position:
        """Build what is added, wherever that is.

        Args:
            layout: how the tokens are laid out.
        """
        raise NotImplementedError

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""

        def entering(layout: Layout) -> Position:
            return AtEntrance(layout, self.absolute(layout))

        if self.at == "stem":
            return self.absolute(layout)
        return EachLayer(layout, entering) if self.at == "every_layer" else entering(layout)


@dataclass(frozen=True)
class TableConfig(AbsoluteConfig):
    """Choose a kind that is added to the tokens and learned for the places of one grid.

    Args:
        resize: by which rule it is carried to another grid: row of `RULES`.

    Raises:
        ConfigError: for another place or an unknown rule.
    """

    resize: str = "timm"

    def __post_init__(self) -> None:
        super().__post_init__()
        hint = did_you_mean(self.resize, RULES)
        require(self.resize in RULES, "position.resize", self.resize, ", ".join(RULES), hint)


def is_like(one: PositionConfig, other: PositionConfig) -> bool:
    """Say whether two choices are the same but for the rule of resizing, so that the weights of one fit the other.

    Args:
        one: a choice.
        other: another.

    Returns:
        True if so.
    """
    if isinstance(one, TableConfig) and isinstance(other, TableConfig):
        one = replace(one, resize=other.resize)
    return one == other


@dataclass(frozen=True)
class ScoresConfig(PositionConfig):
    """Choose a kind that biases the scores of attention, which there are in every layer.

    Args:
        at: "every_layer": every layer learns its own; "every_layer_shared": all have the same.

    Raises:
        ConfigError: for another place.
    """

    at: LayerPlace = "every_layer"

    def __post_init__(self) -> None:
        _require_place(self.at, LayerPlace)

    def layer(self, layout: Layout) -> Position:
        """Build what biases the scores of one layer.

        Args:
            layout: how the tokens are laid out.
        """
        raise NotImplementedError

    def build(self, layout: Layout) -> Position:
        """Build the module for a layout."""
        return EachLayer(layout, self.layer) if self.at == "every_layer" else self.layer(layout)
