"""Ways of saying what a model looks at in an image: one row each in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch

from vitrail.analysis.gradients import Classes
from vitrail.analysis.integrated import integrated_gradients, require_captum
from vitrail.analysis.maps import AttentionMaps, attention_maps, head_maps
from vitrail.analysis.relevance import gradient_attention
from vitrail.analysis.shapes import Maps
from vitrail.core.table import Table
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Images


@dataclass(frozen=True)
class Question:
    """Hold what is asked of a model about an image.

    Args:
        model: any Vision Transformer of the library.
        images: one image, normalised, (1, channels, height, width), on the model's device.
        black: the same, all black.
        target: (1,) the class that is asked about; None for none.
        layer: number of a block, from 0; None for the last.
        head: number of a head, from 0; None for the mean over heads.
        batch_size: images computed at once.
    """

    model: VisionTransformer
    images: Images
    black: Images
    target: Classes | None = None
    layer: int | None = None
    head: int | None = None
    batch_size: int = 8

    @cached_property
    def attention(self) -> AttentionMaps:
        """What the attention of all blocks says, for the rows that share it."""
        return attention_maps(self.model, self.images)

    @property
    def asked_layer(self) -> int:
        """Number of the block."""
        return self.model.config.depth - 1 if self.layer is None else self.layer

    @property
    def asked_class(self) -> Classes:
        """The class."""
        return torch.zeros(len(self.images), dtype=torch.int64) if self.target is None else self.target


@dataclass(frozen=True)
class Answer:
    """Hold one map.

    Args:
        name: for tables and files, unique among all rows.
        title: for people, without a capital.
        map: (1, rows, columns) float64.
        signed: whether numbers below 0 speak against the class; otherwise there are none.
        remark: what the numbers add up to, where that says how far to trust them.
    """

    name: str
    title: str
    map: Maps
    signed: bool = False
    remark: str = ""


@dataclass(frozen=True)
class Method:
    """Describe a way of making maps.

    Args:
        title: for people, without a capital.
        ask: makes them.
        shows: what they show, and what they cannot show, in sentences.
        needs_attention: whether the model must have a block.
        needs_class: whether the maps depend on the class that is asked about.
        takes_layer: whether the maps are those of one block.
        takes_head: whether they may be those of one head.
        require: refuses to go on if a package is missing.
    """

    title: str
    ask: Callable[[Question], list[Answer]]
    shows: str
    needs_attention: bool = True
    needs_class: bool = False
    takes_layer: bool = False
    takes_head: bool = False
    require: Callable[[], None] = field(default=lambda: None)


def _last(question: Question) -> list[Answer]:
    return [Answer("last", "last block", question.attention.last)]


def _rollout(question: Question) -> list[Answer]:
    return [Answer("rollout", "rollout", question.attention.rollout)]


def _attention(question: Question) -> list[Answer]:
    layer, head = question.asked_layer, question.head
    maps = head_maps(question.model, question.images, layer)
    if head is None:
        return [Answer(f"layer_{layer}", f"layer {layer}", maps.mean(dim=1))]
    return [Answer(f"layer_{layer}_head_{head}", f"layer {layer}, head {head}", maps[:, head])]


def _heads(question: Question) -> list[Answer]:
    layer = question.asked_layer
    maps = head_maps(question.model, question.images, layer)
    return [
        Answer(f"layer_{layer}_head_{head}", f"layer {layer}, head {head}", one)
        for head, one in enumerate(maps.unbind(1))
    ]


def _gradient_attention(question: Question) -> list[Answer]:
    found = gradient_attention(question.model, question.images, question.asked_class)
    return [Answer("gradient_attention", "gradient-weighted attention", found)]


def _integrated_gradients(question: Question) -> list[Answer]:
    found = integrated_gradients(
        question.model, question.images, question.asked_class, question.black, batch_size=question.batch_size
    )
    remark = f"adds up to {float(found.maps.sum()):+.3g}; the logit gained {float(found.gain):+.3g} from black"
    return [Answer("integrated_gradients", "integrated gradients", found.maps, signed=True, remark=remark)]


METHODS: Table[Method] = Table(
    "method",
    {
        "last": Method(
            "last block",
            _last,
            "How much attention each patch gets in the last block, mean over heads. It knows no class, and by the last "
            "block a token holds more than the patch that it began as.",
        ),
        "rollout": Method(
            "rollout",
            _rollout,
            "The attention of all blocks multiplied, the residual connection counted as half: where information can "
            "have come from. It knows no class, and nothing of what values and MLPs do with what they get.",
        ),
        "attention": Method(
            "attention of a layer",
            _attention,
            "How much attention each patch gets in one layer, by one head or the mean over heads. It knows no class.",
            takes_layer=True,
            takes_head=True,
        ),
        "heads": Method(
            "heads of a layer",
            _heads,
            "The same for every head of one layer, one map each.",
            takes_layer=True,
        ),
        "gradient_attention": Method(
            "gradient-weighted attention",
            _gradient_attention,
            "The part of the attention of all blocks that raises the logit of the class. It cannot show what speaks "
            "against the class, nor what goes through the MLPs alone.",
            needs_class=True,
        ),
        "integrated_gradients": Method(
            "integrated gradients",
            _integrated_gradients,
            "What the pixels of each patch add to the logit of the class, or take from it, on the way from a black "
            "image. It needs no attention. Black pixels get nothing, whatever they mean, and neighbours can cancel.",
            needs_attention=False,
            needs_class=True,
            require=require_captum,
        ),
    },
)
