"""Rare classes may count more: by how often they are shown, by weights, by adjusted logits."""

from __future__ import annotations

import json

import numpy as np
import pytest

import vitrail
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset


@pytest.fixture(scope="module")
def unequal() -> Dataset:
    """Give the digits with a tenth of 0, 1, 2, 3 and 4 in training."""
    whole = open_dataset("digits", 0)
    train = whole.splits["train"]
    kept = [index for index in range(len(train)) if train.labels[index] > 4 or index % 10 == 0]
    splits = {**whole.splits, "train": train.take(np.array(kept))}
    return Dataset("digits", whole.classes, splits, whole.traits)


@pytest.mark.parametrize("settings", [{"balance": 1.0}, {"class_weights": 1.0}, {"logit_adjustment": 1.0}], ids=str)
def test_rare_classes_are_found_more_often(unequal, quick, tmp_path, settings):
    figures = []
    for name, fields in (("plain", {}), ("balanced", settings)):
        quick["settings"] = {"depth": 1, "batch_size": 64, **fields}
        run = vitrail.fit(unequal, out=tmp_path / name, epochs=6, **quick)
        figures.append(run.evaluation.metrics["balanced_accuracy"])
    assert figures[1] > figures[0] + 0.02
    last = json.loads((tmp_path / "balanced" / "metrics.jsonl").read_text().splitlines()[-1])
    assert 0 < last["val_balanced_accuracy"] <= 1
    assert "rare classes count more" in (tmp_path / "balanced" / "log.txt").read_text()
    assert "val_balanced_accuracy" not in (tmp_path / "plain" / "metrics.jsonl").read_text()


def test_logits_are_adjusted_under_softmax_only(quick, tmp_path):
    settings = {"loss": "sigmoid", "logit_adjustment": 1.0}
    with pytest.raises(vitrail.ConfigError, match="0 with another loss than softmax"):
        vitrail.fit("digits", quick["model"], out=tmp_path / "run", settings=settings)
