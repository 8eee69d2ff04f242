"""Probes of a model's features: the right images, classes of the data, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vitrail
from vitrail.data.sources import open_dataset
from vitrail.evaluation.probes import PROBES, FewShotProbe, Labelled
from vitrail.jobs.probe import probe_features


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_that_of_the_features(name, digits_run):
    """Learned on the images that the model was trained on, measured on those that were set aside."""
    predictor = vitrail.load(digits_run)
    found = probe_features(digits_run, "digits", name)
    dataset = open_dataset("digits")
    parts = [
        Labelled(predictor.embed(dataset.splits[split].images), dataset.splits[split].labels)
        for split in ("train", "val", "test")
    ]
    expected = dict(PROBES[name].measure(*parts, dataset.classes))
    assert found.metrics["n"] == 359
    assert found.top1 == pytest.approx(expected["top1"], abs=2 / 359)
    assert found.to_json() | {"probe": name, "split": "test", "pool": "pre_logits"} == found.to_json()


def test_a_second_probe_computes_nothing(digits_run, tmp_path, monkeypatch):
    monkeypatch.setenv("VITRAIL_CACHE", str(tmp_path))
    assert probe_features(digits_run, "digits", "knn", "val").computed == 1294 + 144
    assert probe_features(digits_run, "digits", "linear").computed == 359
    assert probe_features(digits_run, "digits", FewShotProbe(3)).computed == 0


def test_the_images_that_training_set_aside_are_measured(quick, tmp_path):
    run = vitrail.fit("digits", out=tmp_path / "run", epochs=1, seed=7, **quick)
    found = probe_features(run, "digits", "knn").metrics
    assert found == probe_features(run, open_dataset("digits", 7), "knn").metrics
    assert found != probe_features(run, open_dataset("digits", 0), "knn").metrics


def test_the_classes_are_those_of_the_data(digits_run, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 300)
    found = probe_features(digits_run, data, "knn")
    assert found.classes == tuple(f"class {digit}" for digit in range(10))
    assert found.top1 > 0.5


def test_changed_data_are_warned_of_and_bad_images_named(quick, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 200)
    run = vitrail.fit(data, out=tmp_path / "run", epochs=1, **quick)
    victims = sorted((data / "class 1").iterdir())
    victims[0].unlink()
    victims[1].write_bytes(b"no image")
    warnings: list[str] = []

    def listen(event):
        if getattr(event, "warning", False):
            warnings.append(event.text)

    found = probe_features(run, data, "knn", listener=listen)
    assert [text for text in warnings if "changed since training" in text]
    assert [text for text in warnings if victims[1].name in text]
    assert [victims[1].name in name for name, _ in found.bad] == [True]
    with pytest.raises(vitrail.DataError, match=victims[1].name):
        probe_features(run, data, "knn", strict=True)


def test_what_cannot_be_probed(digits_run, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 60)
    with pytest.raises(vitrail.DataError, match="fewer than shots = 20") as caught:
        probe_features(digits_run, data, FewShotProbe(20))
    assert "shots" in caught.value.hint and "class " in caught.value.message
    with pytest.raises(vitrail.ConfigError, match="learn from it"):
        probe_features(digits_run, data, "knn", "train")
    with pytest.raises(vitrail.ConfigError, match="unknown probe"):
        probe_features(digits_run, data, "nnk")
    train = open_dataset(data).splits["train"]
    for image in map(train.image, range(len(train))):
        if "class 3" not in image:
            Path(image).write_bytes(b"no image")
    with pytest.raises(vitrail.DataError, match="one class, 'class 3'") as caught:
        probe_features(digits_run, data, "linear")
    assert "two classes" in caught.value.hint


def test_features_of_another_pool(digits_run):
    found = {pool: probe_features(digits_run, "digits", "knn", pool=pool) for pool in (None, "model", "mean")}
    assert [one.pool for one in found.values()] == ["pre_logits", "model", "mean"]
    assert np.isfinite([one.top1 for one in found.values()]).all()
