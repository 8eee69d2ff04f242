"""What a weight format must do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.models.config import ViTConfig
from vitrail.nn.norm import LayerNormConfig
from vitrail.nn.position import Learned1dConfig
from vitrail.nn.stem import PatchStemConfig
from vitrail.weights.content import Content
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import Preprocessing


@dataclass(frozen=True)
class Reading:
    """Hold a content in vitrail's words.

    Args:
        state: state dict by vitrail's names.
        fields: flat config fields that the format states, beyond what shapes show.
        preprocessing: what its authors do to an image; None if neither content nor format says.
        size: height and width of the image, if the preprocessing says so.
        classes: names; None if it does not say.
        left: name in the content → why it is not used.
        unknown: names in the content that are not explained.
        notes: what was assumed.
    """

    state: dict[str, Tensor]
    fields: dict[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    left: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Format:
    """Be one row of `FORMATS`: a key map, its inverse, and what its authors' code does beside the weights.

    `name` is the row, `what` says it in words, `resize` is the row of `RULES` for its table of positions, `writes` says
    whether it can be written, `folder` whether what is written is a folder.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    resize: ClassVar[str] = "timm"
    writes: ClassVar[bool] = False
    folder: ClassVar[bool] = False

    def matches(self, content: Content) -> bool:
        """Say whether a content is of this format.

        Args:
            content: any.
        """
        raise NotImplementedError

    def read(self, content: Content, variant: str | None) -> Reading:
        """Translate a content.

        Args:
            content: one that matches.
            variant: what the user says it is.
        """
        raise NotImplementedError

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a model.

        Args:
            out: file or folder, which does not exist yet.
            model: its state dict is written.
            record: what to say about it.
        """
        raise WeightsError(f"format {self.name} is read, not written")


def refuse(format_name: str, reasons: Mapping[str, bool]) -> None:
    """Refuse to write a model that a format cannot hold.

    Args:
        format_name: row of `FORMATS`.
        reasons: what the format has no place for → whether the model has it.

    Raises:
        WeightsError: if there is one.
    """
    found = [reason for reason, there in reasons.items() if there]
    if found:
        hint = "--format vitrail holds every model"
        raise WeightsError(f"format {format_name} has no place for {', '.join(found)}", hint=hint)


def unusual(config: ViTConfig) -> dict[str, bool]:
    """List what no foreign format has a place for.

    Args:
        config: of a model.

    Returns:
        What it is → whether the model has it.
    """
    block = config.block
    return {
        f"position {config.position.kind!r}": config.position != Learned1dConfig(),
        f"stem {config.stem.kind!r}": config.stem != PatchStemConfig(),
        f"norm {block.norm.kind!r}": not isinstance(block.norm, LayerNormConfig),
        f"activation {block.act!r}": block.act not in ("gelu", "gelu_tanh"),
        f"qk_scale {block.qk_scale}": block.qk_scale is not None,
    }
