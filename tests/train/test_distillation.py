"""Distillation against DeiT's formula, and in the loop: in parts, resumed, without images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from vitrail.jobs.pace import steps_in
from vitrail.models import VisionTransformer
from vitrail.train.checkpoint import load_checkpoint, save_checkpoint
from vitrail.train.distillation import IMITATIONS, Distillation
from vitrail.train.loop import StepDone, take_step, train_model
from vitrail.train.objective import Classification
from vitrail.train.recipe import ObjectiveConfig, OptimizerConfig, Recipe

CPU = torch.device("cpu")
PLAIN = Recipe(batch_size=8, optimizer=OptimizerConfig(lr=3e-3, clip=None))
DRAW = torch.Generator().manual_seed(0)
HEAD, TOKEN, ANSWER = (3 * torch.randn(6, 5, generator=DRAW) for _ in range(3))
TARGETS = torch.softmax(torch.randn(6, 5, generator=DRAW), dim=1)
IMAGES = torch.randn(6, 1, 2, 2, generator=DRAW)


def log_softmax(logits: Tensor, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    values = logits.double().numpy() / temperature
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))


def cross_entropy(logits: Tensor, targets: npt.NDArray[Any]) -> float:
    return float(-(targets * log_softmax(logits)).sum(axis=1).mean())


def deit(head: Tensor, token: Tensor, kind: str, alpha: float, tau: float) -> float:
    """Write out losses.py of facebookresearch/deit: (1 − α)·CE + α·(CE with the teacher's class, or τ²·KL ÷ numel)."""
    labels = cross_entropy(head, TARGETS.double().numpy())
    ours, theirs = log_softmax(token, tau), log_softmax(ANSWER, tau)
    soft = tau**2 * (np.exp(theirs) * (theirs - ours)).sum() / token.numel()
    hard = cross_entropy(token, np.eye(5)[ANSWER.argmax(dim=1)])
    return (1 - alpha) * labels + alpha * {"hard": hard, "soft": float(soft)}[kind]


def distillation(kind: Any, temperature: float = 1.0, share: float = 0.5, **fields: Any) -> Distillation:
    config = ObjectiveConfig(distillation=kind, temperature=temperature, teacher_share=share, **fields)
    return Distillation(Classification(config, [9, 2, 3, 4, 5]), config, lambda images: ANSWER[: len(images)])


@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize(("temperature", "share"), [(1.0, 0.5), (3.0, 0.1), (0.7, 1.0), (2.0, 0.0)])
def test_the_loss_is_deits(kind: str, temperature: float, share: float) -> None:
    loss = distillation(kind, temperature, share)
    told = deit(HEAD, TOKEN, kind, share, temperature)
    assert float(loss((HEAD, TOKEN), TARGETS, IMAGES)) == pytest.approx(told, rel=1e-5)
    alone = deit(HEAD, HEAD, kind, share, temperature)
    assert float(loss(HEAD, TARGETS, IMAGES)) == pytest.approx(alone, rel=1e-5), "one head learns both"


def test_every_kind_has_a_row() -> None:
    kinds = get_args(get_type_hints(ObjectiveConfig)["distillation"])
    assert [*IMITATIONS] == [kind for kind in kinds if kind != "none"]


def test_what_rare_classes_count_moves_the_labels_alone() -> None:
    """Whoever wants the teacher to count them, takes one that was trained so."""
    loss = distillation("hard", class_weights=1.0, logit_adjustment=1.0)
    labels = Classification(ObjectiveConfig(class_weights=1.0, logit_adjustment=1.0), [9, 2, 3, 4, 5])
    imitated = deit(HEAD, TOKEN, "hard", 1.0, 1.0)
    expected = (float(labels(HEAD, TARGETS)) + imitated) / 2
    assert float(loss((HEAD, TOKEN), TARGETS, IMAGES)) == pytest.approx(expected, rel=1e-5)


def test_half_precision_is_compared_in_float32() -> None:
    for kind in IMITATIONS:
        loss = distillation(kind)((HEAD.bfloat16(), TOKEN.bfloat16()), TARGETS, IMAGES)
        assert loss.dtype == torch.float32


def teach(case: Any, kind: str = "soft") -> tuple[Distillation, VisionTransformer]:
    """Make an objective with a random teacher for a tiny training."""
    torch.manual_seed(5)
    teacher = VisionTransformer(case.state.model.config.updated(distilled=False, depth=1)).eval().requires_grad_(False)
    config = ObjectiveConfig(distillation=kind, temperature=2.0)  # type: ignore[arg-type]
    return Distillation(Classification(config), config, teacher), teacher


def train(case: Any, total: int, objective: Any, stop: int | None = None) -> list[float]:
    losses = []
    for event in train_model(case.state, case.loader, case.recipe, total, CPU, objective):
        if isinstance(event, StepDone):
            losses.append(event.loss)
            if event.step == stop:
                break
    return losses


@pytest.mark.parametrize("distilled", [False, True])
@pytest.mark.parametrize("kind", ["hard", "soft"])
def test_a_batch_in_parts_is_taught_as_a_whole(make_case: Callable[..., Any], kind: str, distilled: bool) -> None:
    whole, parts = (make_case(PLAIN, distilled=distilled) for _ in range(2))
    batch, (objective, _) = next(whole.loader.epoch(0)), teach(whole, kind)
    told = [
        take_step(case.state, batch, case.loader, replace(case.recipe, micro_batch=size), 10, 0, CPU, objective)[2]
        for case, size in ((whole, None), (parts, 4))
    ]
    assert told[0] == pytest.approx(told[1], abs=1e-6)
    for one, other in zip(whole.state.model.parameters(), parts.state.model.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, atol=1e-6)


@pytest.mark.parametrize("stop", [1, 4])
def test_a_taught_run_resumes_bit_for_bit(
    make_case: Callable[..., Any], regularised: dict[str, float], stop: int, tmp_path: Any
) -> None:
    fields = {**regularised, "distilled": True}
    whole, first, second = (make_case(**fields) for _ in range(3))
    unbroken = train(whole, 8, teach(whole)[0])
    before = train(first, 8, teach(first)[0], stop)
    save_checkpoint(tmp_path / "checkpoint", first.state, {})
    load_checkpoint(tmp_path / "checkpoint", second.state)
    assert before + train(second, 8, teach(second)[0]) == unbroken
    for one, other in zip(whole.state.model.parameters(), second.state.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_teacher_stays_as_it_is(make_case: Callable[..., Any]) -> None:
    case = make_case(distilled=True)
    objective, teacher = teach(case)
    before = [value.clone() for value in teacher.parameters()]
    train(case, 4, objective)
    assert not teacher.training
    assert all(torch.equal(one, other) for one, other in zip(before, teacher.parameters(), strict=True))


def test_the_teacher_sees_the_batch_in_the_students_arithmetic(make_case: Callable[..., Any]) -> None:
    case, seen = make_case(precision="bfloat16"), []

    def teacher(images: Tensor) -> Tensor:
        seen.append((images, torch.is_autocast_enabled("cpu")))
        return torch.zeros(len(images), 3)

    config = ObjectiveConfig(distillation="hard")
    events = train_model(
        case.state, case.loader, case.recipe, 2, CPU, Distillation(Classification(config), config, teacher)
    )
    batches = [event.batch for event in events if isinstance(event, StepDone)]
    assert all(low for _, low in seen)
    assert [torch.equal(images, batch.images) for (images, _), batch in zip(seen, batches, strict=True)] == [True] * 2


def test_a_batch_without_images_is_not_shown_to_the_teacher(make_case: Callable[..., Any]) -> None:
    case = make_case()
    batch = next(case.loader.epoch(0))
    empty = replace(batch, images=batch.images[:0], targets=batch.targets[:0], labels=batch.labels[:0])
    objective = Distillation(Classification(ObjectiveConfig()), ObjectiveConfig(distillation="hard"), lambda _: 1 / 0)
    assert take_step(case.state, empty, case.loader, case.recipe, 10, 0, CPU, objective)[2:5] == (0.0, 0, 0)
    assert case.state.step == 1


def test_a_teacher_replaces_the_labels(make_case: Callable[..., Any]) -> None:
    """With all of the loss, it alone decides: labels are the class after the teacher's."""
    case = make_case(replace(PLAIN, optimizer=OptimizerConfig(lr=1e-2)))
    answers = torch.roll(torch.eye(3), 1, dims=0)
    config = ObjectiveConfig(distillation="hard", teacher_share=1.0)
    batch = next(case.loader.epoch(0))
    objective = Distillation(Classification(config), config, lambda _: answers[batch.labels])
    for _ in range(60):
        take_step(case.state, batch, case.loader, case.recipe, 60, 0, CPU, objective)
    with torch.no_grad():
        learned = case.state.model.eval()(batch.images).argmax(dim=1)
    assert torch.equal(learned, answers[batch.labels].argmax(dim=1))


def test_the_teacher_takes_its_share_of_the_minutes(make_case: Callable[..., Any]) -> None:
    """What is measured before the first step is what training will do; the model stays as it is."""
    case = make_case(distilled=True)
    objective, _ = teach(case)
    before = [value.clone() for value in case.state.model.parameters()]
    asked = []
    objective.teacher = lambda images: asked.append(len(images)) or torch.zeros(len(images), 3)  # type: ignore[func-returns-value]
    assert steps_in(0.5, case.state.model, case.loader, case.recipe, objective, lambda: None) >= 1
    assert asked[0] == 9
    assert all(torch.equal(one, other) for one, other in zip(before, case.state.model.parameters(), strict=True))
