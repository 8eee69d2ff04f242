"""vitrail's own model file."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import nn

from vitrail.weights.content import Content
from vitrail.weights.formats.base import Format
from vitrail.weights.model_file import ModelRecord, save_model


class Own(Format):
    """Write vitrail's model file. It is read by `load_model`, which checks its sums, before any table is asked."""

    name: ClassVar[str] = "vitrail"
    what: ClassVar[str] = "vitrail's model file"
    writes: ClassVar[bool] = True

    def matches(self, content: Content) -> bool:
        """Say no: a content has lost the record."""
        return False

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write everything."""
        save_model(out, model, record)
