"""How a run was made and what it cost, in words and figures, for its page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitrail.bench.cost import Cost
from vitrail.data.dataset import Dataset
from vitrail.data.loader import Batch
from vitrail.jobs.plan import Plan
from vitrail.jobs.predictor import Predictor
from vitrail.jobs.suspects import SuspectLabels

if TYPE_CHECKING:
    from vitrail.report.data import Expense


@dataclass(frozen=True)
class Story:
    """Hold what only whoever trained can tell.

    Args:
        seconds: time that the run took, sessions before a resumption included.
        notes: what was decided, a sentence each.
        batches: the first of training.
        device: where it was trained, in words.
        memory: bytes that the process has held at most; 0 if unknown.
        validation: labels of the validation split that are likely wrong; None if nothing is known of it.
    """

    seconds: float
    notes: Sequence[str] = ()
    batches: Sequence[Batch] = ()
    device: str = ""
    memory: int = 0
    validation: SuspectLabels | None = None


def expense(records: Sequence[Mapping[str, Any]], cost: Cost, story: Story, testing: float, batch_size: int) -> Expense:
    """Say what a run took.

    Args:
        records: lines of `metrics.jsonl`.
        cost: of one forward pass of one image.
        story: the whole time.
        testing: seconds that the last evaluation took.
        batch_size: images a step.

    Returns:
        The time in parts, and figures.

    Source:
        Training FLOP are 6 · MACs · images: two for each multiply-accumulate, and the backward pass costs twice the
        forward pass. With it Table 6 of the ViT paper (arXiv 2010.11929) is met within 2.5 %.
    """
    from vitrail.report.data import Expense
    from vitrail.report.text import quantity

    parts = {
        "opening and decoding images": _sum(records, "reading_seconds"),
        "preparing batches": _sum(records, "preparing_seconds"),
        "learning": _sum(records, "learning_seconds"),
        "validation": _sum(records, "validation_seconds"),
        "measuring at the end": testing,
    }
    parts["everything else"] = max(0.0, story.seconds - sum(parts.values()))
    images, steps = int(_sum(records, "images")), max((int(record["step"]) for record in records), default=0)
    training = parts["preparing batches"] + parts["learning"]
    memory = max([story.memory, *(1e6 * float(record.get("peak_memory_mb", 0)) for record in records)])
    figures = {
        "Steps": f"{steps:,}, about {batch_size} images each",
        "Images seen": f"{images:,}",
        "Speed of training": f"{images / training:,.0f} images/s" if training else "",
        "Parameters": f"{cost.parameters:,}",
        "MACs an image": quantity(cost.macs),
        "Computed in training": quantity(6 * cost.macs * images, "FLOP"),
        "Peak memory": quantity(memory, "B") if memory else "",
        "Device": story.device,
    }
    return Expense(parts, {name: value for name, value in figures.items() if value})


def _sum(records: Sequence[Mapping[str, Any]], key: str) -> float:
    return sum(float(record.get(key, 0)) for record in records)


def facts(plan: Plan, dataset: Dataset, predictor: Predictor) -> dict[str, dict[str, str]]:
    """Say what a run was made from.

    Args:
        plan: everything that decided it.
        dataset: the opened data.
        predictor: the trained model.

    Returns:
        Heading → name → value: the data, the model, with what it was made.
    """
    from vitrail.report.text import split_name

    config, training = plan.model, predictor.record.training
    data = {"Reference": plan.data, "Classes": f"{len(dataset.classes):,}"}
    for split, samples in dataset.splits.items():
        data[f"{split_name(split).capitalize()} images"] = (
            f"{len(samples):,}{' (set aside)' if split in dataset.made_splits else ''}"
        )
    data["Fingerprint"] = str(predictor.record.data.get("fingerprint") or dataset.fingerprint())
    height, width = config.image_size
    kind = {1: "grey", 3: "colour"}.get(config.in_chans, f"{config.in_chans} channels")
    model = {
        "Image": f"{height} × {width} pixels, {kind}",
        "Patch": f"{config.patch_size} × {config.patch_size} pixels",
        "Tokens": str(config.num_tokens),
        "Depth": str(config.depth),
        "Width": str(config.embed_dim),
        "Heads": str(config.block.num_heads),
        "MLP ratio": f"{config.block.mlp_ratio:g}",
        "Stem": config.stem.kind,
        "Position": config.position.kind,
        "Pooling": config.pool.kind,
    }
    made = {name: str(version) for name, version in training.get("versions", {}).items()}
    made |= {"Seed": str(plan.seed), "Steps": f"{plan.steps:,}", "Batch": str(plan.recipe.batch_size)}
    if plan.start:
        made["Start"] = plan.start
    if plan.teacher.reference:
        made["Teacher"] = f"{plan.teacher.reference} ({plan.teacher.sha256[:12]})"
    return {"Data": data, "Model": model, "Made with": made}


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """List nested settings by dotted key.

    Args:
        value: plain data.
        prefix: dotted key of `value`.

    Yields:
        Dotted key, and value as text.
    """
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}".lstrip("."))
    elif isinstance(value, list):
        yield prefix, ", ".join(str(item) for item in value)
    else:
        yield prefix, "none" if value in (None, "") else str(value)
