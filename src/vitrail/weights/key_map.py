"""A key map: a table of how a format's names and layouts correspond to vitrail's. Both ways are read from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table


class Layout(NamedTuple):
    """Say how numbers lie in a format that are stored otherwise than torch's modules hold them.

    Args:
        to_ours: from a stored tensor to a module's.
        to_theirs: the inverse, given the number of heads.
    """

    to_ours: Callable[[Tensor], Tensor]
    to_theirs: Callable[[Tensor, int], Tensor]


LAYOUTS: Table[Layout] = Table(
    "layout",
    {
        "same": Layout(lambda value: value, lambda value, heads: value),
        "in_out": Layout(lambda value: value.t(), lambda value, heads: value.t()),
        "rows_cols_in_out": Layout(
            lambda value: value.permute(3, 2, 0, 1), lambda value, heads: value.permute(2, 3, 1, 0)
        ),
        "in_heads": Layout(
            lambda value: value.flatten(1).t(), lambda value, heads: torch.unflatten(value.t(), 1, (heads, -1))
        ),
        "heads": Layout(lambda value: value.flatten(), lambda value, heads: torch.unflatten(value, 0, (heads, -1))),
        "heads_out": Layout(
            lambda value: value.flatten(0, 1).t(), lambda value, heads: torch.unflatten(value.t(), 0, (heads, -1))
        ),
    },
)  # fmt: skip


class Row(NamedTuple):
    """Say what one of vitrail's tensors is called elsewhere.

    Args:
        ours: name, "{i}" standing for the number of a block.
        theirs: the name there; several where it is stored in parts, which are joined along the first axis.
        layout: row of `LAYOUTS`.
    """

    ours: str
    theirs: tuple[str, ...]
    layout: str = "same"


def pair(ours: str, theirs: str, kinds: Sequence[str] = ("weight", "bias")) -> tuple[Row, ...]:
    """Make the rows of a module whose tensors have the same kinds of names in both.

    Args:
        ours: name of the module here.
        theirs: name of the module there.
        kinds: names of its tensors.

    Returns:
        A row for each.
    """
    return tuple(Row(f"{ours}.{kind}", (f"{theirs}.{kind}",)) for kind in kinds)


class KeyMap:
    """Translate names and layouts, both ways.

    Args:
        rows: each of vitrail's tensors at most once.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        self._by_theirs = [
            (_pattern(name), row, part) for row in self.rows for part, name in enumerate(row.theirs)
        ]  # fmt: skip
        self._by_ours = [(_pattern(row.ours), row) for row in self.rows]

    def to_ours(self, tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
        """Translate to vitrail's names and layouts.

        Args:
            tensors: as stored.

        Returns:
            The state dict, and the names that are not in the map.

        Raises:
            WeightsError: if a part of a tensor is missing, or it has another number of axes than the format's.
        """
        state: dict[str, Tensor] = {}
        parts: dict[str, dict[int, Tensor]] = {}
        unknown = []
        rows: dict[str, tuple[Row, str]] = {}
        for name, value in tensors.items():
            found = next(self._matches(name), None)
            if found is None:
                unknown.append(name)
                continue
            row, part, index = found
            ours = row.ours.replace("{i}", index)
            if part in parts.get(ours, {}):
                raise WeightsError(f"{name}: stored twice, under names of two versions")
            parts.setdefault(ours, {})[part] = _laid_out(name, value, LAYOUTS[row.layout])
            rows[ours] = (row, index)
        for ours, (row, index) in rows.items():
            there = parts[ours]
            missing = [name.replace("{i}", index) for part, name in enumerate(row.theirs) if part not in there]
            if missing:
                raise WeightsError(f"{', '.join(missing)}: missing beside the other parts of {ours}")
            joined = [there[part] for part in range(len(row.theirs))]
            state[ours] = joined[0] if len(joined) == 1 else torch.cat(joined)
        return state, unknown

    def _matches(self, name: str) -> Iterator[tuple[Row, int, str]]:
        for pattern, row, part in self._by_theirs:
            match = pattern.fullmatch(name)
            if match:
                yield row, part, match.group(1) if match.groups() else ""

    def to_theirs(self, state: Mapping[str, Tensor], heads: int) -> tuple[dict[str, Tensor], list[str]]:
        """Translate to the format's names and layouts.

        Args:
            state: vitrail's.
            heads: heads of attention.

        Returns:
            Tensors as the format stores them, contiguous, and the names that the format has no place for.
        """
        tensors: dict[str, Tensor] = {}
        unknown = []
        for ours, value in state.items():
            found = ((row, pattern.fullmatch(ours)) for pattern, row in self._by_ours)
            row, match = next(((row, match) for row, match in found if match), (None, None))
            if row is None or match is None:
                unknown.append(ours)
                continue
            index = match.group(1) if match.groups() else ""
            for name, part in zip(row.theirs, value.chunk(len(row.theirs)), strict=True):
                stored = LAYOUTS[row.layout].to_theirs(part, heads)
                whole = stored.contiguous()
                shared = len(row.theirs) > 1 and whole.data_ptr() == part.data_ptr()
                tensors[name.replace("{i}", index)] = whole.clone() if shared else whole
        return tensors, unknown


def _pattern(name: str) -> re.Pattern[str]:
    """Turn a name with "{i}" into a pattern; numbers of blocks have no leading zeros."""
    return re.compile(re.escape(name).replace(r"\{i\}", r"(0|[1-9]\d{0,3})"))


def _laid_out(name: str, value: Tensor, layout: Layout) -> Tensor:
    try:
        return layout.to_ours(value)
    except (RuntimeError, IndexError) as error:
        raise WeightsError(f"{name}: shape {tuple(value.shape)} is not that of the format") from error
