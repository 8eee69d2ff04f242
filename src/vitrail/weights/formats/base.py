"""What a weight format must do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.models.config import ViTConfig
from vitrail.weights.content import Content
from vitrail.weights.differences import differences
from vitrail.weights.infer import infer_config
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import Preprocessing


@dataclass(frozen=True)
class Reading:
    """Hold a content in vitrail's words.

    Args:
        state: state dict by vitrail's names.
        fields: flat config fields that the content states, beyond what shapes show.
        assumed: flat config fields that hold in this format where neither content nor user says otherwise.
        preprocessing: what its authors do to an image; None if neither content nor format says.
        size: height and width of the image, if the preprocessing says so.
        classes: names; None if it does not say.
        left: name in the content → why it is not used.
        unknown: names in the content that are not explained.
        notes: what was assumed.
        resize: row of `RULES` for its table of positions; "" for that of the format.
    """

    state: dict[str, Tensor]
    fields: dict[str, Any] = field(default_factory=dict)
    assumed: dict[str, Any] = field(default_factory=dict)
    preprocessing: Preprocessing | None = None
    size: tuple[int, int] | None = None
    classes: tuple[str, ...] | None = None
    left: Mapping[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    resize: str = ""


class Format:
    """Be one row of `FORMATS`: a key map, its inverse, and what its authors' code does beside the weights.

    `name` is the row, `what` says it in words, `resize` is the row of `RULES` for its table of positions, `writes` says
    whether it can be written, `folder` whether what is written is a folder. `unsaid` names fields of the block that its
    files leave to whoever builds the model.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    resize: ClassVar[str] = "timm"
    writes: ClassVar[bool] = False
    folder: ClassVar[bool] = False
    unsaid: ClassVar[tuple[str, ...]] = ()

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

        Raises:
            WeightsError: if the format has no place for some part of it.
        """
        raise WeightsError(f"format {self.name} is read, not written")

    def known(self, config: ViTConfig) -> dict[str, Any]:
        """Give what a file of this format leaves unsaid about a model.

        Args:
            config: of the model.

        Returns:
            Field of the block → value.
        """
        return {name: getattr(config.block, name) for name in self.unsaid}

    def lost(self, content: Content, config: ViTConfig) -> list[str]:
        """Say what of an architecture a content does not hold, by reading it.

        Args:
            content: what would be written.
            config: of the model.

        Returns:
            A phrase for each part; empty if nothing is lost.
        """
        try:
            reading = self.read(content, None)
            back, _ = infer_config(reading.state, self.known(config) | reading.fields, None, reading.assumed)
        except WeightsError as error:
            return [f"it: {error.message}"]
        return differences(config, back)


def refuse(format_name: str, reasons: Iterable[str]) -> None:
    """Refuse to write a model that a format cannot hold.

    Args:
        format_name: row of `FORMATS`.
        reasons: what the format has no place for.

    Raises:
        WeightsError: if there is one.
    """
    found = list(reasons)
    if found:
        hint = "--format vitrail holds every model"
        raise WeightsError(f"format {format_name} has no place for {', '.join(found[:6])}", hint=hint)
