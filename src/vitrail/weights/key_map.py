"""A key map: a table of how a format's names and layouts correspond to vitrail's. Both ways are read from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
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
        "token": Layout(lambda value: value.reshape(1, 1, -1), lambda value, heads: value.flatten()),
        "table": Layout(lambda value: value[None], lambda value, heads: value[0]),
        "channels_last": Layout(lambda value: value.flatten(), lambda value, heads: value.reshape(1, 1, 1, -1)),
    },
)  # fmt: skip


class Row(NamedTuple):
    """Say what tensors are called here and elsewhere, part for part along the first axis.

    A name that stands several times has so many equal parts; one name beside several stands as often as they.

    Args:
        ours: names, "{i}" standing for the number of a block, "{n}" for the same counted from 1.
        theirs: names there.
        layout: row of `LAYOUTS`, for each of theirs.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    layout: str = "same"

    def parts(self) -> list[tuple[str, str]]:
        """Pair the names.

        Returns:
            (ours, theirs) for each part, in the order in which they are joined.
        """
        count = max(len(self.ours), len(self.theirs))
        ours, theirs = (names * (count // len(names)) for names in (self.ours, self.theirs))
        return list(zip(ours, theirs, strict=True))


def named(ours: str, *theirs: str, layout: str = "same") -> Row:
    """Make the row of one of vitrail's tensors.

    Args:
        ours: its name.
        theirs: the name there; several where it is stored in parts.
        layout: row of `LAYOUTS`.

    Returns:
        The row.
    """
    return Row((ours,), theirs, layout)


def pair(ours: str, theirs: str, kinds: Sequence[str] = ("weight", "bias")) -> tuple[Row, ...]:
    """Make the rows of a module whose tensors have the same kinds of names in both.

    Args:
        ours: name of the module here.
        theirs: name of the module there.
        kinds: names of its tensors.

    Returns:
        A row for each.
    """
    return joined(ours, theirs, kinds=kinds)


def joined(ours: str, *theirs: str, kinds: Sequence[str] = ("weight", "bias")) -> tuple[Row, ...]:
    """Make the rows of a module that is stored as several, such as queries, keys and values.

    Args:
        ours: name of the module here.
        theirs: names of the modules there.
        kinds: names of their tensors.

    Returns:
        A row for each kind.
    """
    return tuple(named(f"{ours}.{kind}", *(f"{name}.{kind}" for name in theirs)) for kind in kinds)


class KeyMap:
    """Translate names and layouts, both ways.

    Args:
        rows: where one name is in several, the first is that which is written; the others are read.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = tuple(rows)
        self._theirs = [(_pattern(name), row) for row in self.rows for name in dict.fromkeys(row.theirs)]
        self._ours = [(_pattern(name), row) for row in self.rows for name in dict.fromkeys(row.ours)]

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
        groups, unknown = _grouped(self._theirs, tensors)
        for (row, index), there in groups.items():
            parts = [(_numbered(ours, index), _numbered(theirs, index)) for ours, theirs in row.parts()]
            missing = [theirs for _, theirs in dict.fromkeys(parts) if theirs not in there]
            if missing:
                raise WeightsError(f"{', '.join(dict.fromkeys(missing))}: missing beside {', '.join(there)}")
            laid = {name: _laid_out(name, value, LAYOUTS[row.layout]) for name, value in there.items()}
            for ours, value in _rejoined(laid, [(theirs, ours) for ours, theirs in parts]).items():
                if ours in state:
                    raise WeightsError(f"{', '.join(there)}: stored twice, under names of two versions")
                state[ours] = value
        return state, unknown

    def to_theirs(self, state: Mapping[str, Tensor], heads: int) -> tuple[dict[str, Tensor], list[str]]:
        """Translate to the format's names and layouts.

        Args:
            state: vitrail's.
            heads: heads of attention.

        Returns:
            Tensors as the format stores them, contiguous, and the names that the format has no place for.
        """
        tensors: dict[str, Tensor] = {}
        groups, unknown = _grouped(self._ours, state)
        for (row, index), here in groups.items():
            parts = [(_numbered(ours, index), _numbered(theirs, index)) for ours, theirs in row.parts()]
            if any(ours not in here for ours, _ in parts):
                unknown += list(here)
                continue
            layout = LAYOUTS[row.layout]
            for theirs, value in _rejoined(here, parts).items():
                tensors[theirs] = layout.to_theirs(value, heads).contiguous()
        return tensors, unknown


def with_zero_key_bias(tensors: Mapping[str, Tensor], query: str, key: str) -> dict[str, Tensor]:
    """Give attention that has biases of queries and values alone one of zeros for the keys.

    Args:
        tensors: as stored.
        query: how the name of a bias of queries ends.
        key: how that of the keys would end.

    Returns:
        The tensors and the biases that were missing.
    """
    zeros = {
        name.removesuffix(query) + key: value.new_zeros(value.shape)
        for name, value in tensors.items()
        if name.endswith(query)
    }
    return {**zeros, **tensors}


Patterns = Sequence[tuple[re.Pattern[str], Row]]
Groups = dict[tuple[Row, int | None], dict[str, Tensor]]


def _grouped(patterns: Patterns, tensors: Mapping[str, Tensor]) -> tuple[Groups, list[str]]:
    """Put together what belongs to one row and one block; name what belongs to none."""
    groups: Groups = {}
    unknown = []
    for name, value in tensors.items():
        for pattern, row in patterns:
            match = pattern.fullmatch(name)
            if match:
                groups.setdefault((row, _number(match)), {})[name] = value
                break
        else:
            unknown.append(name)
    return groups, unknown


def _rejoined(values: Mapping[str, Tensor], parts: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
    """Cut tensors into parts and join these anew: `parts` pairs the old name of each with the new one."""
    cut: dict[str, list[Tensor]] = {}
    for name, value in values.items():
        count = sum(old == name for old, _ in parts)
        if count > 1 and (value.ndim == 0 or len(value) % count):
            raise WeightsError(f"{name}: shape {tuple(value.shape)} does not fall into {count} equal parts")
        cut[name] = list(value.chunk(count)) if count > 1 else [value]
    anew: dict[str, list[Tensor]] = {}
    for old, new in parts:
        anew.setdefault(new, []).append(cut[old].pop(0))
    return {name: pieces[0] if len(pieces) == 1 else torch.cat(pieces) for name, pieces in anew.items()}


def _pattern(name: str) -> re.Pattern[str]:
    """Turn a name with "{i}" or "{n}" into a pattern; numbers have no leading zeros."""
    escaped = re.escape(name).replace(r"\{i\}", r"(?P<i>0|[1-9]\d{0,3})")
    return re.compile(escaped.replace(r"\{n\}", r"(?P<n>[1-9]\d{0,3})"))


def _number(match: re.Match[str]) -> int | None:
    """Give the number in a name, counted from 0; None if there is none."""
    found = match.groupdict()
    return int(found["i"]) if "i" in found else int(found["n"]) - 1 if "n" in found else None


def _numbered(name: str, index: int | None) -> str:
    return name if index is None else name.replace("{i}", str(index)).replace("{n}", str(index + 1))


def _laid_out(name: str, value: Tensor, layout: Layout) -> Tensor:
    try:
        return layout.to_ours(value)
    except (RuntimeError, IndexError) as error:
        raise WeightsError(f"{name}: shape {tuple(value.shape)} is not that of the format") from error
