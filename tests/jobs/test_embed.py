"""Features of files: the same as the model's own, whatever the batch, in a file that says what they are."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pyarrow import parquet
from safetensors import safe_open

import vitrail
from vitrail.data.decode import decode
from vitrail.jobs import embed
from vitrail.jobs.embed import embed_paths


@pytest.fixture(scope="module")
def images(tmp_path_factory, write_digits):
    """Write 70 images, the fourth of them broken."""
    folder = write_digits(tmp_path_factory.mktemp("embed"), 70)
    files = sorted(str(file) for file in folder.rglob("*.png"))
    with open(files[3], "wb") as file:
        file.write(b"broken")
    return files


@pytest.fixture(scope="module")
def good(images):
    return images[:3] + images[4:]


def expected(predictor, files, pool):
    """Compute features by hand, all in one batch."""
    pixels = np.stack([predictor.spec.pixels(decode(file)) for file in files])
    model = predictor.model
    with torch.inference_mode():
        tokens = model.forward_features(torch.from_numpy(predictor.spec.normalise(pixels)))
        rows = {
            "tokens": tokens,
            "class_token": model.fc_norm(tokens[:, 0]) if model.cls_token is not None else None,
            "mean": model.fc_norm(tokens[:, model.config.tokens.count :].mean(dim=1)),
            "model": model.fc_norm(model.attn_pool(tokens, model.config.tokens.count)),
        }
    return None if rows[pool] is None else rows[pool].numpy()


def pools(predictor):
    return ["model", "mean", "tokens"] + ["class_token"] * predictor.model.config.tokens.class_token


def test_features_are_the_models_own(digits_run, good):
    predictor = vitrail.load(digits_run)
    for pool in pools(predictor):
        features = predictor.embed(good, pool)
        reference = expected(predictor, good, pool)
        assert features.dtype == np.float32
        assert features.shape == reference.shape
        assert np.abs(reference).max() > 0.1
        np.testing.assert_allclose(features, reference, atol=1e-5)
        alone = np.concatenate([predictor.embed(file, pool) for file in good[:5]])
        np.testing.assert_allclose(alone, features[:5], atol=1e-5)
    assert predictor.embed([]).shape == (0, predictor.model.config.embed_dim)


def test_logits_follow_from_features(digits_run, good):
    predictor = vitrail.load(digits_run)
    with torch.inference_mode():
        logits = predictor.model.head(torch.from_numpy(predictor.embed(good))).numpy()
    np.testing.assert_allclose(predictor.logits(good), logits, atol=1e-5)


def test_a_bad_image_is_an_error(digits_run, images):
    with pytest.raises(vitrail.ImageError, match="not an image"):
        vitrail.load(digits_run).embed(images)


@pytest.mark.parametrize("at_once", [1, 10_000, 2**24])
@pytest.mark.parametrize("pool", ["model", "tokens"])
def test_the_file_holds_all_rows_in_order(digits_run, images, good, tmp_path, pool, at_once, monkeypatch):
    monkeypatch.setattr(embed, "BYTES_AT_ONCE", at_once)
    out = tmp_path / "features.parquet"
    answers = list(embed_paths(digits_run.path, images, str(out), pool))
    assert [answer.path for answer in answers] == images
    table = parquet.read_table(out)
    assert table.column_names == ["path", "features", "error"]
    assert table["path"].to_pylist() == images
    errors = table["error"].to_pylist()
    assert [number for number, error in enumerate(errors) if error is not None] == [3]
    assert "not an image" in errors[3]
    rows = table["features"].to_pylist()
    assert rows[3] is None
    predictor = vitrail.load(digits_run)
    stored = np.asarray(rows[:3] + rows[4:], dtype=np.float32)
    np.testing.assert_allclose(stored, predictor.embed(good, pool), atol=1e-5)
    about = json.loads(table.schema.metadata[b"vitrail"])
    config = predictor.model.config
    assert about.pop("shape") == list(stored.shape[1:])
    with safe_open(predictor.path, framework="pt") as file:
        sha256 = json.loads(file.metadata()["vitrail"])["sha256"]
    assert about == {
        "sha256": sha256,
        "model": "model.safetensors",
        "pool": pool,
        "dim": config.embed_dim,
        "grid": list(config.grid),
        "prefix_tokens": config.tokens.count,
    }


def test_only_bad_images(digits_run, images, tmp_path):
    out = tmp_path / "features.parquet"
    assert len(list(embed_paths(digits_run.path, [images[3]] * 3, str(out)))) == 3
    assert parquet.read_table(out)["features"].to_pylist() == [None] * 3


def test_strict_and_interruption_leave_nothing(digits_run, images, tmp_path):
    out = tmp_path / "features.parquet"
    with pytest.raises(vitrail.ImageError, match="not an image"):
        list(embed_paths(digits_run.path, images, str(out), strict=True))
    stream = embed_paths(digits_run.path, images, str(out))
    next(stream)
    stream.close()
    assert list(tmp_path.iterdir()) == []


def test_other_suffixes_are_refused(digits_run, images, tmp_path):
    with pytest.raises(vitrail.DataError, match=r"'\.npy'") as caught:
        embed_paths(digits_run.path, images, str(tmp_path / "features.npy"))
    assert ".parquet" in caught.value.hint
