"""The mean of the weights of several models: what it is, what it says of itself, and which models have none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import vitrail
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError
from vitrail.data.spec import ImageSpec
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.weights.model_file import UNNAMED, ModelRecord, load_model, save_model

TINY = {
    "img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0, "num_classes": 3,
    "distilled": True,
}  # fmt: skip
CLASSES = ("ant", "bee", "cat")
DATA = {"reference": "insects", "made_splits": ["test"], "fingerprint": "f" * 64}


@torch.no_grad()
def make(path: Path, seed: int, record: dict[str, object] | None = None, **fields: object) -> VisionTransformer:
    """Write a model, every parameter drawn by its seed."""
    torch.manual_seed(seed)
    model = VisionTransformer(ViTConfig.of(**{**TINY, **fields}))
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.normal_(0, 0.3).abs_()
    given = {"temperature": 1.5, "risk": ((0.5, 3, 1),), "training": {"seed": 0}, "data": DATA, **(record or {})}
    save_model(path, model, replace(ModelRecord(model.config, CLASSES, ImageSpec((8, 8))), **given))
    return model


@pytest.fixture
def three(tmp_path: Path) -> tuple[list[Path], list[VisionTransformer]]:
    paths = [tmp_path / f"{name}.safetensors" for name in "abc"]
    return paths, [make(path, seed) for seed, path in enumerate(paths)]


def by_hand(models: list[VisionTransformer]) -> dict[str, np.ndarray]:
    states = [model.state_dict() for model in models]
    return {
        name: np.mean([state[name].double().numpy() for state in states], axis=0).astype(np.float32)
        for name in states[0]
    }


def test_every_weight_is_the_mean(three, tmp_path: Path) -> None:
    paths, models = three
    before = [path.read_bytes() for path in paths]
    made = vitrail.average(paths, tmp_path / "mean.safetensors")
    model, record = load_model(tmp_path / "mean.safetensors")
    for name, value in by_hand(models).items():
        assert np.array_equal(model.state_dict()[name].numpy(), value), name
    assert (record.classes, record.spec, record.config) == (CLASSES, ImageSpec((8, 8)), models[0].config)
    assert (made.max_abs_diff, made.agreement) == (0.0, 1.0), "read back"
    assert [path.read_bytes() for path in paths] == before


def test_sums_are_in_float64(tmp_path: Path) -> None:
    """2²⁴ + 1 is no float32."""
    for path, value in (("a", 2.0**24), ("b", 1.0), ("c", -(2.0**24))):
        model = make(tmp_path / path, 0)
        torch.nn.init.constant_(model.norm.bias, value)
        save_model(tmp_path / path, model, ModelRecord(model.config, CLASSES, ImageSpec((8, 8))))
    vitrail.average([tmp_path / name for name in "abc"], tmp_path / "mean")
    assert load_model(tmp_path / "mean")[0].norm.bias.tolist() == pytest.approx([1 / 3] * 16)


def test_it_says_what_went_in_and_is_not_calibrated(three, tmp_path: Path) -> None:
    paths, _ = three
    made = vitrail.average(paths, tmp_path / "mean.safetensors")
    record = load_model(tmp_path / "mean.safetensors")[1]
    assert (record.temperature, record.risk, record.calibrated) == (1.0, (), False)
    parts = record.training["average"]
    assert [part["reference"] for part in parts] == [str(path) for path in paths]
    assert parts == list(made.average) and len({part["sha256"] for part in parts}) == 3
    assert made.to_json()["average"] == parts
    assert record.data == DATA and record.training["seed"] == 0
    assert any("not calibrated" in note for note in made.report.notes)
    assert len(made.report.notes) == 1, "they began and learned alike"


def test_classes_in_another_order_are_matched_by_name(tmp_path: Path) -> None:
    one, other = (make(tmp_path / name, seed) for seed, name in enumerate("ab"))
    order = [2, 0, 1]
    turned = {"classes": tuple(CLASSES[index] for index in order)}
    with torch.no_grad():
        for head in (other.head, other.head_dist):
            head.weight.copy_(head.weight[order])
            head.bias.copy_(head.bias[order])
    save_model(tmp_path / "b", other, replace(load_model(tmp_path / "b")[1], **turned))
    vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    model, record = load_model(tmp_path / "mean")
    expected = by_hand([one, make(tmp_path / "again", 1)])
    assert record.classes == CLASSES
    assert all(np.array_equal(model.state_dict()[name].numpy(), value) for name, value in expected.items())


def test_counts_of_a_conv_stem_are_not_averaged(tmp_path: Path) -> None:
    fields = {"stem": "conv", "distilled": False, "pool": "mean", "class_token": False}
    for seed, name in enumerate("ab"):
        make(tmp_path / name, seed, **fields)
    made = vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    assert load_model(tmp_path / "mean")[0].state_dict()["stem.norm0.num_batches_tracked"].dtype == torch.int64
    assert any("batch norm" in note for note in made.report.notes)


@pytest.mark.parametrize(
    ("record", "fields", "told"),
    [
        ({}, {"embed_dim": 32}, "embed_dim: 16 → 32"),
        ({}, {"position": "none"}, "position"),
        ({"classes": ("ant", "bee", "dog")}, {}, "different classes: only one has dog; only one has cat"),
        ({"spec": ImageSpec((8, 8), crop_fraction=0.5)}, {}, "crop_fraction: 1.0 → 0.5"),
        ({"classes": ("ant", "bee")}, {"num_classes": 2}, "num_classes"),
    ],
)
def test_models_that_have_no_mean_are_refused(tmp_path: Path, record, fields, told: str) -> None:
    make(tmp_path / "a", 0)
    make(tmp_path / "b", 1, record, **fields)
    with pytest.raises(ConfigError, match=told) as error:
        vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    assert error.value.hint and str(tmp_path / "b") in error.value.message
    assert not (tmp_path / "mean").exists()


def test_what_matters_in_training_alone_may_differ(tmp_path: Path) -> None:
    make(tmp_path / "a", 0)
    make(tmp_path / "b", 1, drop_rate=0.1)
    assert vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean").out.is_file()


@pytest.mark.parametrize("count", [0, 1])
def test_one_model_is_no_average(three, tmp_path: Path, count: int) -> None:
    with pytest.raises(ConfigError) as error:
        vitrail.average(three[0][:count], tmp_path / "mean")
    assert "two references" in error.value.hint


def test_other_images_and_other_beginnings_are_said(tmp_path: Path) -> None:
    """No test split is whole where each set other images aside: the record has no fingerprint to trust."""
    make(tmp_path / "a", 0)
    make(tmp_path / "b", 1, {"training": {"seed": 1}, "data": {**DATA, "fingerprint": "e" * 64}})
    made = vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    notes = "\n".join(made.report.notes)
    assert "learned from different images" in notes
    assert "fresh weights of seed 0, fresh weights of seed 1" in notes
    assert load_model(tmp_path / "mean")[1].data == {**DATA, "fingerprint": ""}
    for seed, name in enumerate("cd"):
        make(tmp_path / name, seed, {"training": {"seed": seed, "start": "hf:owner/name@0"}})
    assert len(vitrail.average([tmp_path / "c", tmp_path / "d"], tmp_path / "soup").report.notes) == 1


def test_numbers_do_not_become_names(tmp_path: Path) -> None:
    make(tmp_path / "a", 0)
    make(tmp_path / "b", 1, {"training": {UNNAMED: True}})
    vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    assert not load_model(tmp_path / "mean")[1].names_classes


def test_the_command(three, tmp_path: Path, capsys) -> None:
    """Into another format as well; and what is evaluated says that it is not calibrated."""
    one, two, third = three[0]
    out = tmp_path / "mean.safetensors"
    assert main(["convert", str(one), str(out), "--average", str(two), str(third), "--json"]) == 0
    told = capsys.readouterr()
    assert len(json.loads(told.out)["average"]) == 3
    assert "note: not calibrated" in told.err
    assert main(["convert", str(one), str(tmp_path / "timm"), "--average", str(two), "--format", "timm"]) == 0
    assert "the mean of 2 models" in capsys.readouterr().out
    assert main(["convert", str(one), str(tmp_path / "none")]) == 2
    assert "--format" in capsys.readouterr().err


def test_a_mean_is_measured_on_what_training_set_aside(digits_run, tmp_path: Path) -> None:
    """Two neighbours of one run, a step to either side of it: their mean is that run."""
    model, record = load_model(digits_run.path / "model.safetensors")
    steps = {name: 0.02 * torch.randn_like(value) for name, value in model.named_parameters()}
    for name, sign in (("a", 1), ("b", -1)):
        other = load_model(digits_run.path / "model.safetensors")[0]
        with torch.no_grad():
            for key, value in other.named_parameters():
                value.add_(sign * steps[key])
        save_model(tmp_path / name, other, record)
    vitrail.average([tmp_path / "a", tmp_path / "b"], tmp_path / "mean")
    notes: list[str] = []
    measured = vitrail.evaluate(
        tmp_path / "mean", "digits", listener=lambda event: notes.append(getattr(event, "text", ""))
    )
    assert measured.metrics["n"] == 359
    assert np.allclose(measured.outputs.logits, digits_run.evaluation.outputs.logits, atol=1e-4)
    assert any("not calibrated" in note for note in notes)
