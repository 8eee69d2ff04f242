"""The uniform mean of the weights of several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from vitrail.core.config import to_dict
from vitrail.core.errors import ConfigError
from vitrail.jobs.plan import differences as settings_between
from vitrail.weights.differences import differences
from vitrail.weights.hub import pinned
from vitrail.weights.load import Loaded, load_weights
from vitrail.weights.model_file import UNNAMED, ModelRecord, tensors_sha256
from vitrail.weights.reference import Reference, model_path

HEADS = ("head.", "head_dist.")


def average_models(references: Sequence[Reference], variant: str | None = None) -> Loaded:
    """Average the weights of models that differ in nothing else, in float64.

    Args:
        references: two or more; one model is held at a time beside the sum.
        variant: what they are, where their files do not say.

    Returns:
        A model with the classes in the first one's order, its record, which is not calibrated and lists what went in,
        and a report with what is worth knowing.

    Raises:
        WeightsError: if one cannot be read.
        ConfigError: for fewer than two, another architecture, other classes or another preprocessing.

    Source:
        Wortsman et al. 2022 (arXiv 2203.05482), the uniform soup; timm's avg_checkpoints.py, which sums in float64 too.
    """
    if len(references) < 2:
        raise ConfigError("an average of one model is that model", hint="give two references or more")
    first = _load(references[0], variant)
    members, records = [_member(references[0], first)], [first.record]
    total = {name: value.double() if value.is_floating_point() else value for name, value in _state(first).items()}
    for reference in references[1:]:
        other = _load(reference, variant)
        rows = _rows(f"{reference} and {references[0]}", other.record, first.record)
        for name, value in _state(other).items():
            if value.is_floating_point():
                total[name] += value[rows] if name.startswith(HEADS) else value
        members.append(_member(reference, other))
        records.append(other.record)
    mean = {
        name: (value / len(records)).float() if value.is_floating_point() else value for name, value in total.items()
    }
    first.model.load_state_dict(mean, assign=True)
    data, apart = _data(records)
    training = {"average": members, "seed": records[0].training.get("seed", 0)}
    if not all(record.names_classes for record in records):
        training[UNNAMED] = True
    record = replace(first.record, temperature=1.0, exponent=1.0, risk=(), training=training, data=data)
    return Loaded(
        first.model, record, replace(first.report, notes=(*first.report.notes, *_notes(mean, records, apart)))
    )


def _load(reference: Reference, variant: str | None) -> Loaded:
    return load_weights(model_path(reference), variant)


def _state(loaded: Loaded) -> dict[str, Tensor]:
    return loaded.model.state_dict()


def _member(reference: Reference, loaded: Loaded) -> dict[str, str]:
    return {"reference": pinned(str(reference), model_path(reference)), "sha256": tensors_sha256(_state(loaded))}


def _rows(pair: str, record: ModelRecord, wanted: ModelRecord) -> Tensor:
    """Find the row of the head for each class of the first model; refuse what is no other training of the same."""
    hint = "only models of one architecture, with the same classes and the same preprocessing have a mean"
    if differences(record.config, wanted.config) or differences(wanted.config, record.config):
        found = settings_between(to_dict(wanted.config), to_dict(record.config))
        raise ConfigError(f"{pair} are of two architectures: {'; '.join(found)}", hint=hint)
    if set(record.classes) != set(wanted.classes):
        only = [sorted(set(one.classes) - set(other.classes)) for one, other in ((record, wanted), (wanted, record))]
        told = "; ".join(f"only one has {', '.join(names[:5])}" for names in only if names)
        raise ConfigError(f"{pair} know different classes: {told}", hint=hint)
    found = settings_between(to_dict(wanted.spec), to_dict(record.spec))
    if found:
        raise ConfigError(f"{pair} are shown images in different ways: {'; '.join(found)}", hint=hint)
    place = {name: index for index, name in enumerate(record.classes)}
    return torch.tensor([place[name] for name in wanted.classes], dtype=torch.int64)


def _data(records: Sequence[ModelRecord]) -> tuple[dict[str, Any], bool]:
    """Say what the models were trained on, and whether it was not the same; then no fingerprint can be promised."""
    known = [record.data for record in records if record.data]
    apart = len({data.get("fingerprint") for data in known}) > 1
    return ({**known[0], **({"fingerprint": ""} if apart else {})} if known else {}), apart


def _notes(mean: dict[str, Tensor], records: Sequence[ModelRecord], apart: bool) -> list[str]:
    notes = ["not calibrated: no temperature and no threshold of its parts holds for the mean"]
    if apart:
        notes.append("they learned from different images: what one set aside for its test, another may have seen")
    origins = {
        record.training.get("start") or f"fresh weights of seed {record.training.get('seed')}" for record in records
    }
    if len(origins) > 1:
        notes.append(
            f"they began with different weights ({', '.join(sorted(origins))}): such a mean may be worth nothing"
        )
    if any(name.endswith("running_var") for name in mean):
        notes.append("running statistics of batch norm are the mean of theirs, not those of the mean")
    return notes
