"""What became of every tensor of a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """Say what was used, left and assumed when weights were read. Nothing is missing, or reading would have failed.

    Args:
        format: row of `FORMATS`.
        used: names of vitrail's tensors that the file gave.
        left: name in the file → why it was not used.
        resized: name of vitrail's tensor → what was done to it.
        notes: what the file does not say and was assumed instead.
    """

    format: str
    used: tuple[str, ...]
    left: Mapping[str, str] = field(default_factory=dict)
    resized: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Write it for a person.

        Returns:
            A sentence for each thing worth knowing.
        """
        left = [f"{name} left: {why}" for name, why in self.left.items()]
        resized = [f"{name} {how}" for name, how in self.resized.items()]
        return [f"format {self.format}: {len(self.used)} tensors used", *resized, *left, *self.notes]

    def to_json(self) -> dict[str, Any]:
        """Turn into plain data.

        Returns:
            Keys format, used (a count), left, resized, notes.
        """
        return {
            "format": self.format, "used": len(self.used), "left": dict(self.left), "resized": dict(self.resized),
            "notes": list(self.notes),
        }  # fmt: skip
