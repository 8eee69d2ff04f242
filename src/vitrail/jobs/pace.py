"""How many steps fit into a given time: measured once, before the first."""

from __future__ import annotations

import copy
import statistics
import time
from collections.abc import Callable

from torch import nn

from vitrail.data.loader import TrainLoader
from vitrail.train.loop import TrainState, take_step
from vitrail.train.objective import Objective
from vitrail.train.recipe import Recipe

MEASURED_SHARE = 0.05
"""Part of the time that measuring may take."""
SAFETY = 0.92
"""Part of the time that is planned for; the rest is for evaluation and the report."""
MOST_STEPS = 200


def steps_in(
    seconds: float,
    model: nn.Module,
    loader: TrainLoader,
    recipe: Recipe,
    objective: Objective,
    validate: Callable[[], object],
) -> int:
    """Take some steps on a copy of the model, and count how many fit.

    Args:
        seconds: time for everything, greater than 0.
        model: what will be trained; it stays as it is.
        loader: gives the batches.
        recipe: how it will learn.
        objective: what it will make small; a teacher takes its time.
        validate: what is done after each epoch.

    Returns:
        Steps, 1 or more.
    """
    trial = TrainState.start(copy.deepcopy(model), recipe)
    device = next(trial.model.parameters()).device
    begin = clock = time.perf_counter()
    times: list[float] = []
    epoch = 0
    while not times or (len(times) < MOST_STEPS and time.perf_counter() - begin < MEASURED_SHARE * seconds):
        for batch in loader.epoch(epoch, 0, device):
            take_step(trial, batch, loader, recipe, 10**6, epoch, device, objective)
            times.append(time.perf_counter() - clock)
            clock = time.perf_counter()
            if len(times) >= MOST_STEPS or clock - begin > MEASURED_SHARE * seconds:
                break
        epoch += 1
    clock = time.perf_counter()
    validate()
    evaluation = time.perf_counter() - clock
    per_epoch = statistics.median(times[1:] or times) * loader.steps_per_epoch + evaluation
    left = seconds * SAFETY - (time.perf_counter() - begin)
    return max(1, int(left / per_epoch * loader.steps_per_epoch))
