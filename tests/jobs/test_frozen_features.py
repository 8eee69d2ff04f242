"""Features that are computed once: found again by content, whatever the images are called, and never wrong."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace

import numpy as np
import pytest

import vitrail
from vitrail.data.dataset import Samples
from vitrail.data.sources import open_dataset
from vitrail.jobs import feature_store, frozen_features
from vitrail.jobs.feature_store import FeatureStore
from vitrail.jobs.frozen_features import FrozenFeatures


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("VITRAIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def predictor(digits_run):
    return vitrail.load(digits_run)


def samples_of(folder):
    paths = sorted(map(str, folder.rglob("*.png")))
    return Samples(paths, np.arange(len(paths)), paths)


def test_features_are_those_of_embed(predictor, tmp_path, write_digits):
    samples = samples_of(write_digits(tmp_path / "data", 30))
    found = FrozenFeatures(predictor).of(samples)
    assert np.allclose(found.labelled.x, predictor.embed(list(samples.images)), atol=1e-6)
    assert found.labelled.y.tolist() == samples.labels.tolist()
    assert found.bad == ()


def test_what_is_known_is_not_computed_again(predictor, tmp_path, write_digits, monkeypatch):
    """Under other names, in another order, with others between them; and with each image once."""
    monkeypatch.setattr(frozen_features, "AT_ONCE", 7)
    data = write_digits(tmp_path / "data", 30)
    first = FrozenFeatures(predictor)
    before = first.of(samples_of(data))
    assert first.computed == 30
    for number, path in enumerate(sorted(data.rglob("*.png"))):
        path.rename(path.with_name(f"{99 - number}.png"))
    shutil.copy(next(data.rglob("*.png")), data / "twice.png")
    (data / "more").mkdir()
    write_digits(data / "more", 33)
    again = FrozenFeatures(predictor)
    after = again.of(samples_of(data))
    assert again.computed == 3
    assert len(after.labelled.x) == 30 + 1 + 33
    known = {row.tobytes() for row in before.labelled.x}
    assert sum(row.tobytes() in known for row in after.labelled.x) == 30 + 1 + 30


def test_arrays_are_known_by_their_pixels(predictor):
    test = open_dataset("digits").splits["test"]
    assert FrozenFeatures(predictor).of(test).labelled.x.shape == (359, predictor.model.config.embed_dim)
    again = FrozenFeatures(predictor)
    again.of(test.take(np.arange(100, 200)))
    assert again.computed == 0


def test_bad_images_are_named_each_time(predictor, tmp_path, write_digits):
    data = write_digits(tmp_path / "data", 12)
    paths = sorted(data.rglob("*.png"))
    paths[3].write_bytes(b"no image")
    paths[5].unlink()
    samples = Samples([str(path) for path in paths], np.arange(12), [path.name for path in paths])
    for _ in range(2):
        found = FrozenFeatures(predictor).of(samples)
        assert [place for place, _ in found.bad] == [3, 5]
        assert all(str(paths[place]) in reason for place, reason in found.bad)
        assert found.labelled.y.tolist() == [0, 1, 2, 4, 6, 7, 8, 9, 10, 11]


def test_another_model_spec_or_pool_has_features_of_its_own_but_not_another_head(predictor, digits_run):
    keys = {FrozenFeatures(predictor, pool).store.folder for pool in ("model", "mean", None)}
    squashed = replace(predictor.record, spec=replace(predictor.spec, mode="squash"))
    keys.add(FrozenFeatures(vitrail.Predictor(predictor.model, squashed, predictor.path)).store.folder)
    own = FrozenFeatures(predictor).store.folder
    with_another_head = vitrail.load(digits_run)
    with_another_head.model.head.weight.data += 1
    assert FrozenFeatures(with_another_head).store.folder == own
    with_another_head.model.fc_norm.weight.data += 1
    keys.add(FrozenFeatures(with_another_head).store.folder)
    assert len(keys) == 5


def test_a_damaged_file_is_not_believed(predictor, cache):
    test = open_dataset("digits").splits["test"].take(np.arange(20))
    before = FrozenFeatures(predictor).of(test)
    (path,) = cache.rglob("*.safetensors")
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    for damaged in (bytes(content), bytes(content)[:-40], b""):
        path.write_bytes(damaged)
        again = FrozenFeatures(predictor)
        assert np.allclose(again.of(test).labelled.x, before.labelled.x)
        assert again.computed == 20


def test_a_cache_that_cannot_be_written_is_said(predictor, cache):
    cache.parent.mkdir()
    cache.write_text("a file where the folder should be")
    notes: list[str] = []
    test = open_dataset("digits").splits["test"].take(np.arange(5))
    found = FrozenFeatures(predictor, listener=lambda event: notes.append(event.text)).of(test)
    assert len(found.labelled.x) == 5
    assert "features are not kept" in notes[0]


def test_the_store_forgets_what_was_not_used_for_long(tmp_path, monkeypatch):
    rows = {bytes([number]) * 32: np.full(100, number, dtype=np.float32) for number in range(8)}
    for name, age in (("aa", 300), ("bb", 200), ("cc", 100)):
        store = FeatureStore(name, tmp_path)
        store.write(rows)
        os.utime(store.folder, (1e9 - age, 1e9 - age))
    FeatureStore("aa", tmp_path).read()  # used now
    monkeypatch.setattr(feature_store, "LIMIT", 3 * 4000)
    FeatureStore("dd", tmp_path).write(rows)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["aa", "cc", "dd"]
    monkeypatch.setattr(feature_store, "LIMIT", 1)
    FeatureStore("dd", tmp_path).write({b"9" * 32: np.zeros(100, dtype=np.float32)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dd"]
    assert len(FeatureStore("dd", tmp_path).read()) == 9
