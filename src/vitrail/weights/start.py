"""What a model takes over from another one when it is trained further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.models.blank import blank_model
from vitrail.models.config import ViTConfig
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.patch_kernel import adapt_channels, resize_kernel
from vitrail.nn.position.injection import TableConfig, is_like
from vitrail.nn.position.resample import RULES

PATCH_KERNEL = "patch_embed.proj.weight"


@dataclass(frozen=True)
class Start:
    """Hold what a training begins with.

    Args:
        state: the new model's whole state dict.
        taken: names of tensors that were taken over.
        adapted: a sentence for each thing that was resized or adapted on the way.
    """

    state: dict[str, Tensor]
    taken: tuple[str, ...]
    adapted: tuple[str, ...]

    @property
    def fresh(self) -> list[str]:
        """Names of tensors that start afresh."""
        return [name for name in self.state if name not in self.taken]


def take_over(model: VisionTransformer, source: VisionTransformer, same_classes: bool) -> Start:
    """Carry weights over to a model of the same width.

    Args:
        model: the new one, with fresh weights; another size of image or patch and other channels are allowed. Its
            config says by which rule positions are carried.
        source: the old one.
        same_classes: whether the head is taken over too.

    Returns:
        What the new model begins with. Whatever has another shape starts afresh, the weights of a head with zeros:
        logits of random weights would pull at features that are good already.

    Raises:
        WeightsError: if no block fits.
    """
    ours = model.state_dict()
    theirs, adapted = _carry_positions(source, model.config, ours)
    for name, value in theirs.items():
        if name in ours and ours[name].shape != value.shape:
            theirs[name], done = _adapt_kernel(name, value, ours[name].shape, source.config.in_chans)
            adapted += done
    taken = {
        name: value
        for name, value in theirs.items()
        if name in ours and ours[name].shape == value.shape and (same_classes or not name.startswith("head"))
    }
    if not any(name.startswith("blocks.") for name in taken):
        raise WeightsError("no block of this model fits the architecture asked for")
    heads = {"head.weight", "head_dist.weight"} & ours.keys() - taken.keys()
    zeros: dict[str, Tensor] = {name: torch.zeros_like(ours[name]) for name in heads}
    return Start({**ours, **taken, **zeros}, tuple(taken), tuple(adapted))


def _carry_positions(
    source: VisionTransformer, config: ViTConfig, wanted: Mapping[str, Tensor]
) -> tuple[dict[str, Tensor], list[str]]:
    """Carry what a model learned about positions to another grid, if the other has the same kind; say what was done."""
    state, old, new = source.state_dict(), source.config.grid, config.grid
    if old == new or not is_like(source.config.position, config.position):
        return state, []
    with torch.device("meta"):
        position = config.position.build(source.position.layout)
    carried = position.resize(state, old, new)
    changed = [name for name, value in carried.items() if value is not state[name]]
    if not any(name in wanted and carried[name].shape == wanted[name].shape for name in changed):
        return state, []
    rule = config.position.resize if isinstance(config.position, TableConfig) else ""
    by = f" by the rule of {RULES[rule].owner} (position.resize = {rule})" if rule else ""
    return carried, [f"positions carried from {old} to {new} patches{by}"]


def _adapt_kernel(name: str, kernel: Tensor, wanted: torch.Size, in_chans: int) -> tuple[Tensor, list[str]]:
    """Carry a kernel to the channels of the image, and to the size of the patch; leave any other tensor as it is."""
    done: list[str] = []
    if kernel.ndim != 4 or len(wanted) != 4:
        return kernel, done
    if kernel.shape[1] == in_chans != wanted[1] and kernel.shape[0] == wanted[0]:
        kernel = adapt_channels(kernel, wanted[1])
        how = "summed" if wanted[1] == 1 else f"repeated and scaled by {in_chans} / {wanted[1]}"
        done.append(f"{name} adapted from {in_chans} to {wanted[1]} channels: {how}")
    old, new = tuple(kernel.shape[2:]), (wanted[2], wanted[3])
    if name == PATCH_KERNEL and old != new and kernel.shape[:2] == wanted[:2]:
        kernel = resize_kernel(kernel, new)
        exact = "" if new >= old else "; approximate, for patches are smaller"
        done.append(f"{name} carried from {old} to {new} pixels by the pseudo-inverse of resizing{exact}")
    return kernel, done


def follow_rule(model: VisionTransformer, rule: str) -> VisionTransformer:
    """Make a model carry its learned positions by another rule.

    Args:
        model: any.
        rule: row of `RULES`.

    Returns:
        A model in evaluation mode that shares the weights and names the rule in its config.

    Raises:
        ConfigError: if there is no such rule, or the model's position follows none.
    """
    config = model.config.updated(**{"position.resize": rule})
    other = blank_model(config)
    other.load_state_dict(model.state_dict(), assign=True)
    return other
