"""What a model takes over from another one when it is trained further."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.position import Learned1dConfig
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.resize import RULES, resize_positions


@dataclass(frozen=True)
class Start:
    """Hold what a training begins with.

    Args:
        state: the new model's whole state dict.
        taken: names of tensors that were taken over.
        resized: what was done to the positions; "" if nothing.
        rule: row of `RULES`, that of the format in which the weights once came.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    resized: str
    rule: str

    @property
    def fresh(self) -> list[str]:
        """Names of tensors that start afresh."""
        return [name for name in self.state if name not in self.taken]


def take_over(model: VisionTransformer, source: VisionTransformer, record: ModelRecord, same_classes: bool) -> Start:
    """Carry weights over to a model of the same width.

    Args:
        model: the new one, with fresh weights; another image size is allowed.
        source: the old one.
        record: of the old one; says by which rule its positions are resized.
        same_classes: whether the head is taken over too.

    Returns:
        What the new model begins with. Whatever has another shape starts afresh.

    Raises:
        WeightsError: if no block fits, or the record names an unknown rule.
    """
    rule = str(record.training.get("weights", {}).get("resize", "timm"))
    _ = RULES[rule]
    ours, theirs = model.state_dict(), source.state_dict()
    old, new = source.config.grid, model.config.grid
    resized = ""
    same_kind = source.config.position == model.config.position and source.config.tokens == model.config.tokens
    if old != new and same_kind and source.config.embed_dim == model.config.embed_dim:
        if source.config.position == Learned1dConfig():
            prefix = source.config.tokens.count
            theirs["pos_embed"] = resize_positions(theirs["pos_embed"], prefix, old, new, rule)
            resized = f"positions carried from {old} to {new} patches by the rule of {RULES[rule].owner}"
        else:
            theirs = source.position.resize(theirs, old, new)
            resized = f"positions carried from {old} to {new} patches"
    taken = {
        name: value
        for name, value in theirs.items()
        if name in ours and ours[name].shape == value.shape and (same_classes or not name.startswith("head"))
    }
    if not any(name.startswith("blocks.") for name in taken):
        raise WeightsError("no block of this model fits the architecture asked for")
    return Start({**ours, **taken}, tuple(taken), resized, rule)
