"""The training loop: a generator of events. Logging, checkpoints and evaluation consume them."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from vitrail.core.errors import NonFiniteError
from vitrail.core.seeding import Stream, derived_seed
from vitrail.data.loader import Batch, TrainLoader
from vitrail.nn.lora import merge
from vitrail.train.ema import WeightAverage
from vitrail.train.objective import Objective, classification_loss
from vitrail.train.optimizer import Policies, build_optimizer, hold_still, policies_of, set_lr
from vitrail.train.recipe import Recipe
from vitrail.train.schedule import learning_rate


@dataclass
class TrainState:
    """Hold everything that changes while training; a checkpoint is this and nothing else.

    Args:
        model: the model that learns.
        optimizer: its optimizer.
        average: running mean of the weights; None if the recipe has none.
        step: steps done since the beginning.
        best: figures of the best evaluation so far; empty before the first.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    step: int = 0
    best: dict[str, float] = field(default_factory=dict)

    @classmethod
    def start(cls, model: nn.Module, recipe: Recipe, policies: Policies | None = None) -> TrainState:
        """Begin.

        Args:
            model: freshly made, on its device, adapted if the recipe has `lora`.
            recipe: how it will learn.
            policies: which parameter learns how; None: as the recipe's `parts` say.

        Raises:
            ConfigError: if the policies do not suit the model.

        Returns:
            The state before the first step.
        """
        if policies is None:
            policies = policies_of(recipe.parts, len(getattr(model, "blocks", ())))
        average = WeightAverage(model, recipe.ema) if recipe.ema else None
        return cls(model, build_optimizer(model, recipe.optimizer, policies), average)

    @property
    def evaluated(self) -> nn.Module:
        """The plain model to evaluate and save: of the running mean if there is one."""
        return merge(self.average.model if self.average else self.model)


@dataclass(frozen=True)
class StepDone:
    """Tell of one step.

    Args:
        step: steps done since the beginning.
        epoch: epoch number, from 0.
        loss: mean over the batch.
        correct: images whose label had the highest logit; of mixed images, the label that weighs more.
        images: images of the batch.
        lr: learning rate.
        seconds: time the step took, loading included.
        waiting: the part of it until the batch was there: loading, augmentation and mixing.
        batch: what was learned from.
    """

    step: int
    epoch: int
    loss: float
    correct: int
    images: int
    lr: float
    seconds: float
    waiting: float
    batch: Batch


@dataclass(frozen=True)
class EpochDone:
    """Tell of the end of one epoch.

    Args:
        epoch: epoch number, from 0.
        step: steps done since the beginning.
        last: whether training is over.
    """

    epoch: int
    step: int
    last: bool


def train_model(
    state: TrainState,
    loader: TrainLoader,
    recipe: Recipe,
    total_steps: int,
    device: torch.device,
    objective: Objective = classification_loss,
) -> Iterator[StepDone | EpochDone]:
    """Train from where the state stands to the last step.

    Args:
        state: changed in place.
        loader: gives the batches.
        recipe: how to learn.
        total_steps: steps of the whole training, those already done included.
        device: where.
        objective: (output, targets, images) → loss.

    Yields:
        An event after each step and each epoch; the state is consistent whenever one is given.

    Raises:
        NonFiniteError: if the loss or the gradient is not finite; the weights are those before the step.
    """
    per_epoch = loader.steps_per_epoch
    while state.step < total_steps:
        epoch, first = divmod(state.step, per_epoch)
        clock = time.perf_counter()
        for batch in loader.epoch(epoch, first, device):
            waiting = time.perf_counter() - clock
            event = take_step(state, batch, loader, recipe, total_steps, epoch, device, objective)
            yield StepDone(*event, seconds=time.perf_counter() - clock, waiting=waiting, batch=batch)
            clock = time.perf_counter()
            if state.step >= total_steps:
                break
        yield EpochDone(epoch, state.step, last=state.step >= total_steps)


def take_step(
    state: TrainState,
    batch: Batch,
    loader: TrainLoader,
    recipe: Recipe,
    total_steps: int,
    epoch: int,
    device: torch.device,
    objective: Objective = classification_loss,
) -> tuple[int, int, float, int, int, float]:
    """Learn from one batch: forward, backward, clip, update, average.

    Args:
        state: changed in place.
        batch: what to learn from.
        loader: whose seed makes dropout repeatable.
        recipe: how to learn.
        total_steps: steps of the whole training.
        epoch: epoch number.
        device: where.
        objective: (output, targets, images) → loss.

    Returns:
        Step, epoch, loss, correct, images, learning rate, as in `StepDone`.

    Raises:
        NonFiniteError: if the loss or the gradient is not finite; weights and running statistics are those before.
    """
    torch.manual_seed(derived_seed(loader.seed, Stream.STEP, 0, state.step))
    lr = learning_rate(recipe.schedule, recipe.optimizer.lr, state.step, total_steps)
    set_lr(state.optimizer, lr)
    if not len(batch.images):  # not one of its images can be used: the step counts, and nothing is learned
        state.step += 1
        return state.step, epoch, 0.0, 0, 0, lr
    state.model.train()
    hold_still(state.model)
    state.optimizer.zero_grad(set_to_none=True)
    before = [buffer.clone() for buffer in state.model.buffers()]
    loss, correct = _add_gradients(state.model, batch, recipe, device, objective)
    parameters = [parameter for parameter in state.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.optimizer.clip or float("inf"))
    if not (torch.isfinite(norm) and math.isfinite(loss)):
        for buffer, value in zip(state.model.buffers(), before, strict=True):
            buffer.copy_(value)
        raise NonFiniteError(
            f"loss {loss} and gradient norm {float(norm)} at step {state.step}, samples {batch.indices[:8].tolist()} …",
            hint="try a lower learning rate (--set lr=…), or precision=float32",
        )
    state.optimizer.step()
    if state.average:
        state.average.update(state.model, state.step)
    state.step += 1
    return state.step, epoch, loss, correct, len(batch.images), lr


def _add_gradients(
    model: nn.Module, batch: Batch, recipe: Recipe, device: torch.device, objective: Objective
) -> tuple[float, int]:
    """Go forward and backward, part by part; give the mean loss and how many images were right."""
    count, size = len(batch.images), recipe.micro_batch or len(batch.images)
    loss, correct = 0.0, 0
    for start in range(0, count, size):
        part = slice(start, start + size)
        with autocast(recipe, device):
            output = model(batch.images[part])
            part_loss = objective(output, batch.targets[part], batch.images[part]) * (len(batch.images[part]) / count)
        part_loss.backward()  # type: ignore[no-untyped-call]
        logits = output[0] if isinstance(output, tuple) else output
        loss += part_loss.item()
        correct += int((logits.detach().argmax(dim=1) == batch.targets[part].argmax(dim=1)).sum())
    return loss, correct


def autocast(recipe: Recipe, device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Choose the arithmetic of the forward pass.

    Args:
        recipe: its `precision`.
        device: where.

    Returns:
        A context: bfloat16 if asked for, or if "auto" and the device is a GPU that has it; otherwise float32.
    """
    able = device.type == "mps" or (device.type == "cuda" and torch.cuda.is_bf16_supported())
    if recipe.precision == "bfloat16" or (recipe.precision == "auto" and able):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()
