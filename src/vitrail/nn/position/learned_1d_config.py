"""How learned 1-D position is chosen; beside it, so that who follows the tokens need not read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from vitrail.core.config import require
from vitrail.nn.layout import Layout
from vitrail.nn.position.base import Position
from vitrail.nn.position.injection import TableConfig
from vitrail.nn.position.learned_1d import Learned1d

Covers = Literal["all", "class", "patches"]


@dataclass(frozen=True)
class Learned1dConfig(TableConfig):
    """Choose a learned vector for each place.

    Args:
        covers: which tokens have an entry in the table. "all": every one, those before the patches too, as in the
            paper; "class": class token, distillation token and patches, not the registers, as in DINOv2, which puts
            them in afterwards; "patches": patches alone, as in DeiT III, SigLIP and big_vision since 2022, and in timm
            where it says `no_embed_class`.

    Raises:
        ConfigError: for another place, an unknown rule, or other tokens.

    Source:
        Dosovitskiy et al. 2020, equation 1 and appendix D.4, row "1-D Pos. Emb.".
    """

    kind: ClassVar[str] = "learned_1d"
    covers: Covers = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        allowed = get_args(Covers)
        require(self.covers in allowed, "position.covers", self.covers, ", ".join(allowed))

    def absolute(self, layout: Layout) -> Position:
        """Build the table's owner."""
        return Learned1d(layout, self.covers, self.resize)
