"""The loop: what it tells, what one step does, that nothing but the seed decides, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from vitrail.core.errors import NonFiniteError
from vitrail.data.augment import AugmentConfig
from vitrail.data.loader import Batch
from vitrail.data.mixing import MixConfig
from vitrail.nn.lora import LoraConfig
from vitrail.train.checkpoint import load_checkpoint, save_checkpoint
from vitrail.train.loop import EpochDone, StepDone, TrainState, autocast, take_step, train_model
from vitrail.train.recipe import OptimizerConfig, PartsConfig, Recipe, ScheduleConfig
from vitrail.train.schedule import learning_rate

CPU = torch.device("cpu")
PLAIN = Recipe(batch_size=8, optimizer=OptimizerConfig(lr=3e-3, clip=None))
Make = Callable[..., Any]


def run(case: Any, total: int, stop: int | None = None) -> list[StepDone | EpochDone]:
    events = []
    for event in train_model(case.state, case.loader, case.recipe, total, CPU):
        events.append(event)
        if isinstance(event, StepDone) and event.step == stop:
            break
    return events


def losses(events: list[StepDone | EpochDone]) -> list[float]:
    return [event.loss for event in events if isinstance(event, StepDone)]


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


def step(case: Any, batch: Batch, total: int = 10, **changes: Any) -> tuple[int, int, float, int, int, float]:
    return take_step(case.state, batch, case.loader, replace(case.recipe, **changes), total, 0, CPU)


def test_events(make_case: Make) -> None:
    """26 images in batches of about 8 make 3 steps an epoch; the tenth step is the first of the fourth epoch."""
    case = make_case()
    events = run(case, 10)
    kinds = "".join("S" if isinstance(event, StepDone) else "E" for event in events)
    steps = [event for event in events if isinstance(event, StepDone)]
    ends = [event for event in events if isinstance(event, EpochDone)]

    assert kinds == "SSSESSSESSSESE" and case.state.step == 10
    assert [event.step for event in steps] == list(range(1, 11))
    assert [event.epoch for event in steps] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert [(event.epoch, event.step, event.last) for event in ends] == [
        (0, 3, False), (1, 6, False), (2, 9, False), (3, 10, True)
    ]  # fmt: skip
    assert [event.images for event in steps] == [9, 9, 8] * 3 + [9]
    assert [event.lr for event in steps] == [
        learning_rate(case.recipe.schedule, case.recipe.optimizer.lr, number, 10) for number in range(10)
    ]
    assert all(event.seconds > 0 and 0 <= event.correct <= event.images for event in steps)
    assert run(case, 10) == [], "nothing is left to do"


def test_the_batches_are_the_loaders(make_case: Make) -> None:
    case = make_case()
    seen = [event.batch for event in run(case, 6) if isinstance(event, StepDone)]
    expected = [batch for epoch in (0, 1) for batch in case.loader.epoch(epoch)]
    assert all(torch.equal(one.images, other.images) for one, other in zip(seen, expected, strict=True))


def test_what_a_step_tells(make_case: Make) -> None:
    case = make_case(PLAIN, drop_rate=0.0)
    batch = next(case.loader.epoch(0))
    with torch.no_grad():
        logits = case.state.model(batch.images)
    number, _, loss, correct, images, _ = step(case, batch)

    assert loss == pytest.approx(float(cross_entropy(logits, batch.labels)), rel=1e-5)
    assert (number, images) == (1, 9) and correct == int((logits.argmax(dim=1) == batch.labels).sum())


@pytest.mark.parametrize("fields", [{}, {"distilled": True}], ids=["plain", "distilled"])
@pytest.mark.parametrize("micro_batch", [1, 2, 4, 8, 100])
def test_accumulated_gradients_are_those_of_the_whole_batch(
    make_case: Make, micro_batch: int, fields: dict[str, Any]
) -> None:
    """9 images, so the last part of 2, 4 or 8 is smaller; its weight is too."""
    whole, parts = (make_case(PLAIN, **fields) for _ in range(2))
    batch = next(whole.loader.epoch(0))
    told = step(whole, batch), step(parts, batch, micro_batch=micro_batch)
    assert told[0][2] == pytest.approx(told[1][2], abs=1e-6) and told[0][3:] == told[1][3:]

    for (name, one), other in zip(whole.state.model.named_parameters(), parts.state.model.parameters(), strict=True):
        assert torch.allclose(one.grad, other.grad, rtol=0, atol=1e-6), name
    assert max(float(one.grad.abs().max()) for one in whole.state.model.parameters()) > 0.05


def test_gradients_are_clipped_to_the_global_norm(make_case: Make) -> None:
    def norm(clip: float | None) -> tuple[float, Tensor]:
        case = make_case(replace(PLAIN, optimizer=OptimizerConfig(clip=clip)))
        step(case, next(case.loader.epoch(0)))
        flat = torch.cat([parameter.grad.flatten() for parameter in case.state.model.parameters()])
        return float(flat.norm()), flat / flat.norm()

    free, direction = norm(None)
    clipped, same_direction = norm(free / 3)
    assert clipped == pytest.approx(free / 3, rel=1e-4)
    assert torch.allclose(direction, same_direction, atol=1e-6)
    assert norm(free * 3)[0] == pytest.approx(free, rel=1e-6)


def test_the_running_mean_follows_every_step(make_case: Make) -> None:
    case = make_case(ema=0.5)
    expected = {name: value.detach().clone() for name, value in case.state.model.named_parameters()}
    for event in train_model(case.state, case.loader, case.recipe, 7, CPU):
        if isinstance(event, StepDone):
            keep = min(0.5, event.step / (9 + event.step))
            for name, value in case.state.model.named_parameters():
                expected[name] = keep * expected[name] + (1 - keep) * value.detach()

    assert case.state.evaluated is case.state.average.model
    for name, value in case.state.average.model.named_parameters():
        assert torch.allclose(value, expected[name], atol=1e-6)
    assert make_case(ema=0.0).state.evaluated is not None and make_case(ema=0.0).state.average is None


@pytest.mark.parametrize("kind", ["adamw", "muon"])
@pytest.mark.parametrize("stop", [1, 3, 4, 8])
def test_resumed_training_is_bit_identical(
    make_case: Make, regularised: dict[str, float], stop: int, kind: Any, tmp_path: Any
) -> None:
    """In the middle of an epoch, through a file, with dropout, augmentation, mixing and the running mean."""
    fields = {**regularised, "stem": "conv", "optimizer": OptimizerConfig(kind=kind, lr=3e-3)}
    whole = make_case(**fields)
    unbroken = run(whole, 10)

    first = make_case(**fields)
    before = run(first, 10, stop)
    first.state.best = {"top1": 0.25, "nll": 1.5}
    save_checkpoint(tmp_path / "checkpoint", first.state, {})
    second = make_case(**fields)
    torch.manual_seed(99)
    load_checkpoint(tmp_path / "checkpoint", second.state)
    assert second.state.step == stop and second.state.best == first.state.best
    after = run(second, 10)

    assert losses(before) + losses(after) == losses(unbroken)
    assert same(snapshot(second.state.model), snapshot(whole.state.model))
    assert same(snapshot(second.state.average.model), snapshot(whole.state.average.model))
    for parameter, other in zip(second.state.model.parameters(), whole.state.model.parameters(), strict=True):
        assert same(second.state.optimizer.state[parameter], whole.state.optimizer.state[other])


def test_nothing_but_the_seed_decides(make_case: Make, regularised: dict[str, float]) -> None:
    """Whoever consumes the events may draw as many random numbers as they like."""
    expected = losses(run(make_case(**regularised), 8))
    case = make_case(**regularised)
    seen = []
    for event in train_model(case.state, case.loader, case.recipe, 8, CPU):
        torch.manual_seed(len(seen) * 7)
        torch.rand(len(seen) + 1)
        case.state.model.eval()
        seen.append(event)

    assert losses(seen) == expected
    assert losses(run(make_case(seed=1, **regularised), 8)) != expected


def test_dropout_differs_from_step_to_step(make_case: Make) -> None:
    case = make_case(replace(PLAIN, schedule=ScheduleConfig("constant", 0.0)), drop_rate=0.5)
    for group in case.state.optimizer.param_groups:
        group["lr_scale"] = 0.0
    batch = next(case.loader.epoch(0))
    told = [step(case, batch)[2] for _ in range(4)]
    assert len(set(told)) == 4


def spoil(batch: Batch) -> Batch:
    images = batch.images.clone()
    images[0, 0, 0, 0] = float("nan")
    return replace(batch, images=images)


def infinite_gradient(output: Any, *_: Tensor) -> Tensor:
    """Be a finite loss whose gradient is not: √0."""
    return ((output - output.detach()).square().sum()).sqrt() + 1


@pytest.mark.parametrize("how", ["image", "loss", "gradient"])
def test_what_is_not_finite_stops_before_the_weights_are_spoilt(make_case: Make, how: str) -> None:
    """Running statistics of a convolutional stem's batch norm included; going on is as if nothing had happened."""
    case, other = make_case(stem="conv"), make_case(stem="conv")
    batches = list(case.loader.epoch(0))
    for one in (case, other):
        step(one, batches[0])
    before, average = snapshot(case.state.model), snapshot(case.state.average.model)
    objective = {"loss": lambda output, *_: output.sum() * float("inf"), "gradient": infinite_gradient}.get(how)
    batch = spoil(batches[1]) if how == "image" else batches[1]
    with pytest.raises(NonFiniteError, match="at step 1, samples ") as caught:
        take_step(case.state, batch, case.loader, case.recipe, 10, 0, CPU, *([objective] if objective else []))

    assert caught.value.exit_code == 3 and "learning rate" in caught.value.hint
    assert str(batch.indices[0]) in caught.value.message
    assert same(snapshot(case.state.model), before) and same(snapshot(case.state.average.model), average)
    assert case.state.step == 1
    assert step(case, batches[1]) == step(other, batches[1])
    assert same(snapshot(case.state.model), snapshot(other.state.model))


def test_the_loop_stops_where_it_is_not_finite(make_case: Make) -> None:
    case = make_case()
    spoilt = {"epoch": case.loader.epoch}
    case.loader.epoch = lambda *place: (  # type: ignore[method-assign]
        spoil(batch) if number == 1 else batch for number, batch in enumerate(spoilt["epoch"](*place))
    )
    told: list[Any] = []
    with pytest.raises(NonFiniteError):
        told.extend(train_model(case.state, case.loader, case.recipe, 10, CPU))
    assert case.state.step == 1


def test_precision() -> None:
    layer, images = nn.Linear(2, 2), torch.zeros(1, 2)
    for precision, dtype in (("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with autocast(Recipe(precision=precision), CPU):  # type: ignore[arg-type]
            assert layer(images).dtype == dtype


def test_bfloat16_learns(make_case: Make) -> None:
    told = losses(run(make_case(PLAIN, precision="bfloat16", init="paper"), 90))
    assert np.mean(told[-3:]) < 0.3 * told[0]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"stem": "conv", "pool": "mean", "class_token": False},
        {"distilled": True},
        {"position": "none", "representation_size": 32, "norm": "rms_norm"},
    ],
    ids=["plain", "convolutional", "distilled", "no position"],
)
def test_a_tiny_set_is_learned_by_heart(make_case: Make, fields: dict[str, Any]) -> None:
    case = make_case(replace(PLAIN, optimizer=OptimizerConfig(lr=1e-2)), init="paper", **fields)
    events = [event for event in run(case, 120) if isinstance(event, StepDone)]
    assert sum(event.correct for event in events[-3:]) == 26
    assert np.mean([event.loss for event in events[-3:]]) < 0.1 * events[0].loss


def test_every_part_of_the_recipe_reaches_training(make_case: Make) -> None:
    """A change of any part changes the losses of the same seed."""
    base = losses(run(make_case(), 4))
    changes: list[dict[str, Any]] = [
        {"batch_size": 13}, {"optimizer": OptimizerConfig(lr=1e-3)}, {"schedule": ScheduleConfig("linear", 0.5)},
        {"augment": AugmentConfig()}, {"mix": MixConfig(label_smoothing=0.3)}, {"precision": "bfloat16"},
        {"optimizer": OptimizerConfig(lr=3e-3, weight_decay=5.0)}, {"optimizer": OptimizerConfig(lr=3e-3, clip=0.01)},
    ]  # fmt: skip
    for change in changes:
        assert losses(run(make_case(**change), 4)) != base, change
    assert losses(run(make_case(ema=0.0), 4)) == base, "the running mean only watches"


def test_start_takes_policies(make_case: Make) -> None:
    from vitrail.train.optimizer import ParameterPolicy

    case = make_case(policies=((r"head\..*", ParameterPolicy()), (r".*", ParameterPolicy(0.0))))
    before = snapshot(case.state.model)
    run(case, 3)
    changed = {name for name, value in snapshot(case.state.model).items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}
    assert isinstance(case.state, TrainState)


def test_a_batch_without_images_is_a_step_without_learning(make_case: Make) -> None:
    """Not one of its files could be used: time goes on, for the schedule and for whoever resumes."""
    case = make_case()
    full = next(case.loader.epoch(0))
    none = Batch(full.images[:0], full.targets[:0], full.labels[:0], full.indices[:0])
    before = snapshot(case.state.model)
    number, _, loss, correct, images, _ = step(case, none)

    assert (number, loss, correct, images) == (1, 0.0, 0, 0) and case.state.step == 1
    assert same(snapshot(case.state.model), before)
    assert step(case, full)[0] == 2 and not same(snapshot(case.state.model), before)


THIN = PartsConfig(lora=LoraConfig(r"blocks\..*", 2))


@pytest.mark.parametrize("parts", [THIN, PartsConfig(last_blocks=1), PartsConfig(layer_decay=0.7)], ids=lambda one: "")
@pytest.mark.parametrize("kind", ["adamw", "sgd", "muon", "lamb"])
def test_going_on_changes_nothing_whatever_learns(
    make_case: Make, tmp_path: Any, parts: PartsConfig, kind: str
) -> None:
    """A checkpoint holds thin matrices as they are, and the state of every optimizer."""
    fields = {"parts": parts, "optimizer": OptimizerConfig(kind=kind, lr=1e-2)}
    whole = make_case(**fields)
    run(whole, 5)
    begun, resumed = make_case(**fields), make_case(**fields, seed=0)
    run(begun, 5, stop=2)
    save_checkpoint(tmp_path / "checkpoint", begun.state, {})
    load_checkpoint(tmp_path / "checkpoint", resumed.state)
    run(resumed, 5)
    assert same(snapshot(whole.state.model), snapshot(resumed.state.model))
    assert same(snapshot(whole.state.evaluated), snapshot(resumed.state.evaluated))


def test_frozen_parts_stay_and_cost_no_backward_pass(make_case: Make) -> None:
    case = make_case(parts=PartsConfig(last_blocks=0), ema=0.0)
    before, seen = snapshot(case.state.model), []
    case.state.model.blocks[1].register_forward_hook(lambda _module, _inputs, output: seen.append(output.requires_grad))
    run(case, 4)
    changed = {name for name, value in case.state.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"} and seen and not any(seen)
    assert len(case.state.optimizer.state) == 2


def test_what_is_evaluated_is_a_plain_model(make_case: Make) -> None:
    case, plain = make_case(parts=THIN), make_case()
    frozen = snapshot(plain.state.model)
    run(case, 4)
    assert case.state.evaluated.state_dict().keys() == plain.state.model.state_dict().keys()
    adapted = {
        name for name, value in case.state.evaluated.state_dict().items() if not torch.equal(value, frozen[name])
    }
    assert adapted == {
        name
        for name in frozen
        if name.startswith("blocks.") and name.endswith(("qkv.weight", "proj.weight", "fc1.weight", "fc2.weight"))
    } | {"head.weight", "head.bias"}
