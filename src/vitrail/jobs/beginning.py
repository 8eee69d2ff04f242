"""The model that training begins with, and where its weights come from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from vitrail.core.seeding import Stream, derived_seed
from vitrail.jobs.events import Note
from vitrail.jobs.plan import Plan
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.lora import adapt
from vitrail.train.objective import bias_heads
from vitrail.weights.load import load_weights
from vitrail.weights.reference import model_path
from vitrail.weights.start import take_over


def begin_model(
    plan: Plan, classes: tuple[str, ...], tell: Callable[[Note], None]
) -> tuple[VisionTransformer, dict[str, Any]]:
    """Make the model of a plan, with fresh weights or those that it starts from.

    Args:
        plan: everything that decides the run.
        classes: names, in the order of the labels.
        tell: is told what was taken over.

    Returns:
        The model on the CPU, and what the record says of the weights that it starts from.
    """
    torch.manual_seed(derived_seed(plan.seed, Stream.INIT))
    model = VisionTransformer(plan.model)
    bias_heads(model, plan.recipe.objective.head_bias)
    weights = _take_weights(model, plan, classes, tell) if plan.start else {}
    if plan.recipe.parts.lora.targets:
        adapted = adapt(model, plan.recipe.parts.lora)
        tell(Note(f"{len(adapted)} linear layers learn by matrices of rank {plan.recipe.parts.lora.rank}"))
    return model, weights


def _take_weights(
    model: VisionTransformer, plan: Plan, classes: tuple[str, ...], tell: Callable[[Note], None]
) -> dict[str, Any]:
    """Take over weights; a head for other classes, and whatever has another shape, starts afresh and is named."""
    loaded = load_weights(model_path(plan.start), plan.variant or None)
    same_classes = loaded.record.classes == classes and not plan.recipe.parts.new_head
    start = take_over(model, loaded.model, same_classes)
    model.load_state_dict(start.state)
    weights = {**loaded.record.training.get("weights", {}), "adapted": list(start.adapted)}
    licence = [f"licence {weights['licence']}"] if "licence" in weights else []
    for text in (*licence, *loaded.report.lines()[1:], *start.adapted):
        tell(Note(f"{plan.start}: {text}"))
    fresh = ", ".join(start.fresh) or "none"
    tell(Note(f"weights from {plan.start}: {len(start.taken)} tensors taken; fresh: {fresh}"))
    return weights
