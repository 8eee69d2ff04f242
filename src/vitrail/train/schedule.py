"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from vitrail.train.recipe import ScheduleConfig


def learning_rate(config: ScheduleConfig, peak: float, step: int, total: int) -> float:
    """Give the learning rate of one step.

    Args:
        config: shape of the schedule.
        peak: highest learning rate.
        step: 0 ≤ step < total.
        total: steps of the whole training.

    Returns:
        The rate; the first step is above 0, the last reaches `final` × peak.

    Source:
        Linear warm-up and cosine as in google-research/vision_transformer, counted from the end of each step.
    """
    warmup = round(config.warmup * total)
    warmup = warmup if config.warmup_steps is None else min(warmup, config.warmup_steps)
    if step < warmup:
        return config.initial * peak + (1 - config.initial) * (peak * (step + 1) / (warmup + 1))
    progress = (step - warmup) / max(1, total - 1 - warmup)
    shape = {"cosine": 0.5 * (1 + math.cos(math.pi * progress)), "linear": 1 - progress, "constant": 1.0}[config.decay]
    return peak * (config.final + (1 - config.final) * shape)
