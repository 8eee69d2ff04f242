"""Measure what a model's frozen features are worth on labelled images, by a simple classifier on top of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError, DataError
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset
from vitrail.evaluation.probes import PROBES, Probe
from vitrail.jobs.bad_files import refusal
from vitrail.jobs.evaluate import find_split
from vitrail.jobs.events import Listener, Note, silent
from vitrail.jobs.frozen_features import FrozenFeatures, SplitFeatures
from vitrail.jobs.predictor import Predictor, load
from vitrail.weights.reference import Reference


@dataclass(frozen=True)
class ProbeResult:
    """Hold what a probe found.

    Args:
        metrics: name → figure, as the probe gives them.
        probe: what it is called.
        pool: what the features are.
        split: which images it was measured on.
        classes: names of the classes.
        bad: (name of the image, reason) of each that could not be used, of all splits.
        model: the model file.
        computed: images whose features had to be computed; those of the others were known.
        seconds: time it took.
    """

    metrics: dict[str, Any]
    probe: str
    pool: str
    split: str
    classes: tuple[str, ...]
    bad: tuple[tuple[str, str], ...]
    model: Path
    computed: int
    seconds: float

    @property
    def top1(self) -> float:
        """Part of the images classified rightly, 0 … 1."""
        return float(self.metrics["top1"])

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `evaluate --probe --json` prints.

        Returns:
            The metrics, and probe, pool, split, classes, bad_files, computed, model, out, seconds.
        """
        return {
            **self.metrics,
            "probe": self.probe,
            "pool": self.pool,
            "split": self.split,
            "classes": list(self.classes),
            "bad_files": [{"path": name, "error": reason} for name, reason in self.bad],
            "computed": self.computed,
            "model": str(self.model),
            "out": str(self.model.parent),
            "seconds": self.seconds,
        }


def probe_features(
    reference: Reference | Any,
    data: Reference | Dataset,
    probe: str | Probe = "linear",
    split: str = "test",
    device: str | None = None,
    listener: Listener = silent,
    *,
    pool: str | None = None,
    strict: bool = False,
) -> ProbeResult:
    """Learn a simple classifier of a model's features on the training split, and measure it on another split.

    The classes are those of the data; the model need not know them. Data without splits are split as `fit` would, with
    the seed that the model was trained with: what it has learned from is not what it is measured on.

    Args:
        reference: as for `evaluate`; a model without classes will do.
        data: a data reference, or an open data set.
        probe: row of `PROBES`, or a probe.
        split: "test" or "val".
        device: where to compute features; None for the fastest there is.
        listener: is told of decisions and warnings.
        pool: row of `FEATURES` that gives one vector an image; None for what the last layer of the head reads.
        strict: stop if one image cannot be used.

    Returns:
        Figures and what was chosen.

    Raises:
        WeightsError: if the model cannot be loaded.
        ConfigError: for an unknown probe or pool, or the split "train".
        DataError: if the data cannot be opened or have no such split; if there are too few images, or, with `strict`,
            one cannot be used.
    """
    clock = time.perf_counter()
    kind = PROBES[probe] if isinstance(probe, str) else probe
    if split == "train":
        raise ConfigError("split = 'train' is not allowed: probes learn from it", hint="allowed: test, val")
    predictor = load(reference, device)
    dataset = data if isinstance(data, Dataset) else _open(predictor, data, listener)
    for note in dataset.notes:
        listener(Note(note))
    wanted = ("train", "val", split)
    samples = {one: find_split(dataset, one) for one in dict.fromkeys(wanted)}
    features = FrozenFeatures(predictor, pool, listener)
    splits = {one: features.of(part) for one, part in samples.items()}
    bad = tuple((samples[one].names[place], why) for one, found in splits.items() for place, why in found.bad)
    if bad and strict:
        raise refusal([reason for _, reason in bad])
    if bad:
        listener(Note(f"{len(bad):,} images could not be used; the first: {bad[0][1]}", True))
    _refuse_empty(splits, dataset)
    train, val, measured = (splits[one].labelled for one in wanted)
    metrics = dict(kind.measure(train, val, measured, dataset.classes))
    seconds = time.perf_counter() - clock
    return ProbeResult(
        metrics, kind.name, features.pool, split, dataset.classes, bad, predictor.path, features.computed, seconds
    )


def _open(predictor: Predictor, data: Reference, listener: Listener) -> Dataset:
    """Open data as for training, split with the model's own seed."""
    record = predictor.record
    dataset = open_dataset(data, int(record.training.get("seed", 0)))
    same = str(data) == record.data.get("reference")
    if same and record.data.get("made_splits") and dataset.fingerprint() != record.data.get("fingerprint"):
        text = f"{data} has changed since training: some images of its test split may have been trained on"
        listener(Note(text, True))
    return dataset


def _refuse_empty(splits: Mapping[str, SplitFeatures], dataset: Dataset) -> None:
    for split, found in splits.items():
        if not len(found.labelled.y):
            hint = f"the first: {found.bad[0][1]}" if found.bad else "it is empty: give images"
            raise DataError(f"not one image of the {split} split of {dataset.reference} can be used", hint=hint)
