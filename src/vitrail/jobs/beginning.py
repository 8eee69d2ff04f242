"""What training begins with: the model, where its weights come from, and what is made small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from vitrail.core.seeding import Stream, derived_seed
from vitrail.data.dataset import Dataset
from vitrail.jobs.events import Note
from vitrail.jobs.plan import Plan
from vitrail.jobs.teacher import Teacher
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.lora import adapt
from vitrail.train.distillation import Distillation
from vitrail.train.objective import Classification, Objective, bias_heads
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


def begin_objective(plan: Plan, dataset: Dataset, device: torch.device, tell: Callable[[Note], None]) -> Objective:
    """Make what training makes small.

    Args:
        plan: everything that decides the run.
        dataset: its training images are counted.
        device: where.
        tell: is told who teaches.

    Returns:
        The comparison with the labels; with a teacher too, if there is one.
    """
    config = plan.recipe.objective
    counts = np.bincount(dataset.splits["train"].labels, minlength=len(dataset.classes))
    labels = Classification(config, counts.tolist(), device)
    if not plan.teacher.reference:
        if plan.model.tokens.distilled:
            tell(Note("no teacher: both heads of this distilled model learn from the labels (--teacher REF gives one)"))
        return labels
    teacher = Teacher(plan.teacher, dataset.classes, plan.spec.fixed, device)
    tell(Note(teacher.told))
    how = "its answer" if config.distillation == "hard" else f"its probabilities at temperature {config.temperature:g}"
    whose = (
        "the distillation token's head" if plan.model.tokens.distilled else "the one head, which learns the labels too,"
    )
    tell(Note(f"{config.distillation} distillation: {whose} learns {how}, {config.teacher_share:.0%} of the loss"))
    return Distillation(labels, config, teacher)


def _take_weights(
    model: VisionTransformer, plan: Plan, classes: tuple[str, ...], tell: Callable[[Note], None]
) -> dict[str, Any]:
    """Take over weights; a head for other classes, and whatever has another shape, starts afresh and is named."""
    loaded = load_weights(model_path(plan.start), plan.variant or None)
    same_classes = loaded.record.classes == classes and not plan.recipe.parts.new_head
    start = take_over(model, loaded.model, same_classes)
    model.load_state_dict(start.state)
    weights = {**loaded.record.training.get("weights", {}), "adapted": list(start.adapted), "fresh": start.fresh}
    licence = [f"licence {weights['licence']}"] if "licence" in weights else []
    for text in (*licence, *loaded.report.lines()[1:], *start.adapted):
        tell(Note(f"{plan.start}: {text}"))
    fresh = ", ".join(start.fresh) or "none"
    tell(Note(f"weights from {plan.start}: {len(start.taken)} tensors taken; fresh: {fresh}"))
    return weights
