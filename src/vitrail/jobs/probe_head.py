"""A head that begins as what a linear probe finds, so that tuning does not spoil good features at first."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn

from vitrail.evaluation.logistic import logistic_head
from vitrail.evaluation.probes import Labelled
from vitrail.jobs.plan import Plan
from vitrail.train.loop import TrainState


def wants_probe_head(plan: Plan, fresh: Collection[str]) -> bool:
    """Say whether the head of a run can and shall begin as a probe.

    Args:
        plan: everything that decides the run.
        fresh: names of the tensors that would start afresh.

    Returns:
        Whether the recipe asks for it, the head's last layer is fresh, is the only one, and speaks of probabilities
        that sum to 1.
    """
    asked = plan.recipe.parts.probe_head and plan.recipe.objective.loss == "softmax"
    return asked and "head.weight" in fresh and not plan.model.tokens.distilled


def begin_head(state: TrainState, train: Labelled, num_classes: int, penalty: float) -> None:
    """Fit logistic regression to frozen features, and let the head begin with it.

    Args:
        state: before the first step; changed in place, its running mean too.
        train: features that the head reads, and labels.
        num_classes: number of classes.
        penalty: λ of the regression.
    """
    weight, bias = (torch.from_numpy(part) for part in logistic_head(train.x, train.y, num_classes, penalty))
    models = [state.model, *([state.average.model] if state.average else [])]
    for model in models:
        head = model.get_submodule("head")
        if isinstance(head, nn.Linear):
            with torch.no_grad():
                head.weight.copy_(weight)
                head.bias.copy_(bias)
