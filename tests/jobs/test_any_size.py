"""Images of any shape, whole and at their own aspect: the same answers alone and together, in order, none dropped."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

import vitrail
from vitrail.data.decode import decode
from vitrail.weights.model_file import load_model

SHAPES = ((20, 30), (30, 20), (24, 24), (9, 80), (1, 300), (21, 31), (300, 1), (40, 60), (5, 5))
BAD = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write 27 pictures of nine shapes and two colours as class folders, one of them broken."""
    folder = tmp_path_factory.mktemp("shapes")
    for number in range(27):
        colour = ((220, 40, 30), (30, 40, 220))[number % 2]
        noise = np.random.default_rng(number).integers(-20, 20, (*SHAPES[number % len(SHAPES)], 3))
        place = folder / ("red", "blue")[number % 2] / f"{number:02d}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(place)
    (folder / "red" / f"{BAD:02d}.png").write_bytes(b"broken")
    return folder


@pytest.fixture(scope="module")
def files(folder):
    return sorted(str(file) for file in folder.rglob("*.png"))


@pytest.fixture(scope="module", params=["learned_1d", "rope_2d"])
def run(request, folder, tmp_path_factory):
    """Train on crops of one size, to be validated and used on whole images."""
    fields = {"img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 2}
    model = vitrail.ViTConfig.of(**fields, dynamic=True, position=request.param)
    settings = {"mode": "keep", "batch_size": 8}
    return vitrail.fit(folder, model, out=tmp_path_factory.mktemp("runs") / "run", epochs=1, settings=settings)


def alone(predictor, file):
    """Compute tokens and logits of one file by hand."""
    pixels = predictor.spec.pixels(decode(file))
    with torch.inference_mode():
        tokens = predictor.model.forward_features(torch.from_numpy(predictor.spec.normalise(pixels[None])))
        return tokens[0].numpy(), predictor.model.forward_head(tokens)[0].numpy()


def test_training_keeps_the_aspect_where_it_measures(run):
    predictor = vitrail.load(run)
    assert (predictor.spec.mode, predictor.spec.multiple) == ("keep", 4)
    assert predictor.model.config.tokens.dynamic
    assert load_model(run.path / "model.safetensors")[1].spec == predictor.spec
    evaluation = vitrail.evaluate(run, run.plan.data, split="val")
    records = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert evaluation.top1 == records[-1]["val_top1"]


def test_together_is_alone(run, files):
    predictor = vitrail.load(run)
    good = [file for file in files if not file.endswith(f"{BAD:02d}.png")]
    expected = [alone(predictor, file) for file in good]
    assert {len(tokens) - 1 for tokens, _ in expected} == {9, 15, 16}
    np.testing.assert_allclose(predictor.logits(good), [logits for _, logits in expected], atol=1e-5)
    features = predictor.embed(good, "mean")
    np.testing.assert_allclose(features, [tokens[1:].mean(axis=0) for tokens, _ in expected], atol=1e-5)
    answers = predictor.predict(files, top=2)
    assert [answer.path for answer in answers] == files
    assert [answer.path for answer in answers if answer.error] == [file for file in files if file not in good]
    by_path = dict(zip(good, expected, strict=True))
    for answer in answers:
        if answer.error is None:
            assert answer.label == predictor.classes[int(by_path[answer.path][1].argmax())]


def test_labels_do_not_shift_in_an_evaluation(run, folder):
    predictor = vitrail.load(run)
    evaluation = vitrail.evaluate(predictor, folder, split="train")
    numbers = evaluation.outputs.indices.tolist()
    bad = [number for number, _ in evaluation.outputs.bad]
    assert sorted(numbers + bad) == list(range(len(evaluation.names)))
    for number, label, logits in zip(numbers, evaluation.outputs.labels, evaluation.outputs.logits, strict=True):
        name = evaluation.names[number]
        assert predictor.classes[label] in name
        np.testing.assert_allclose(logits, alone(predictor, str(folder / name))[1], atol=1e-5)


def test_an_explanation_is_on_the_grid_of_its_image(run, files):
    predictor = vitrail.load(run)
    for shape, grid in (((20, 30), (3, 5)), ((30, 20), (5, 3)), ((1, 300), (1, 16)), ((24, 24), (4, 4))):
        found = predictor.explain(np.zeros((*shape, 3), np.uint8))
        assert found.last.shape == found.rollout.shape == grid
        assert found.box == (0.0, 0.0, shape[1], shape[0])
