"""What a model takes over from another one when it is trained further."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.position.resample import RULES


@dataclass(frozen=True)
class Start:
    """Hold what a training begins with.

    Args:
        state: the new model's whole state dict.
        taken: names of tensors that were taken over.
        resized: what was done to the positions; "" if nothing.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    resized: str

    @property
    def fresh(self) -> list[str]:
        """Names of tensors that start afresh."""
        return [name for name in self.state if name not in self.taken]


def take_over(model: VisionTransformer, source: VisionTransformer, same_classes: bool) -> Start:
    """Carry weights over to a model of the same width.

    Args:
        model: the new one, with fresh weights; another image size is allowed, and its position says by which rule.
        source: the old one.
        same_classes: whether the head is taken over too.

    Returns:
        What the new model begins with. Whatever has another shape starts afresh.

    Raises:
        WeightsError: if no block fits.
    """
    ours, theirs = model.state_dict(), source.state_dict()
    old, new = source.config.grid, model.config.grid
    resized = ""
    same_kind = source.config.position.kind == model.config.position.kind
    if old != new and same_kind and source.config.tokens.count == model.config.tokens.count:
        theirs = model.position.resize(theirs, old, new)
        rule = getattr(model.config.position, "resize", None)
        by = f" by the rule of {RULES[rule].owner}" if rule else ""
        resized = f"positions carried from {old} to {new} patches{by}"
    taken = {
        name: value
        for name, value in theirs.items()
        if name in ours and ours[name].shape == value.shape and (same_classes or not name.startswith("head"))
    }
    if not any(name.startswith("blocks.") for name in taken):
        raise WeightsError("no block of this model fits the architecture asked for")
    return Start({**ours, **taken}, tuple(taken), resized)
