"""A run with a teacher: what it learns, that it can be repeated, and which teachers are refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import vitrail
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError
from vitrail.core.toml import read_toml
from vitrail.data.sources import open_dataset
from vitrail.jobs.convert import convert
from vitrail.jobs.plan import Plan
from vitrail.jobs.teacher import Teacher, TeacherConfig, settle_teacher
from vitrail.weights.model_file import load_model, save_model

TOKEN = {"model": "deit_tiny_distilled_patch16_224", "recipe": "small_few", "image_size": 8, "epochs": 1}
NANO = {"patch_size": 4, "depth": 1, "embed_dim": 16, "num_heads": 2, "batch_size": 256}


def weights(run: Path) -> dict[str, np.ndarray]:
    with safe_open(run / "model.safetensors", framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def altered(run: vitrail.jobs.fit.Run, path: Path, **changes: object) -> Path:
    """Write the model of a run with another record."""
    model, record = load_model(run.path / "model.safetensors")
    save_model(path, model, replace(record, **changes))
    return path


@pytest.fixture(scope="module")
def told() -> list[str]:
    """Collect the notes of the run."""
    return []


@pytest.fixture(scope="module")
def taught(digits_run, tmp_path_factory, told):
    """Give a run of a model with a token that imitates another run."""
    out = tmp_path_factory.mktemp("taught") / "run"
    listener = lambda event: told.append(getattr(event, "text", ""))  # noqa: E731
    return vitrail.fit("digits", **TOKEN, out=out, teacher=digits_run, settings=NANO, listener=listener)


def test_the_run_says_who_taught_it(taught, digits_run, told):
    assert taught.plan.recipe.objective.distillation == "hard", "chosen where nothing is said"
    with safe_open(taught.path / "model.safetensors", framework="np") as file:
        teacher = json.loads(file.metadata()["vitrail"])["training"]["teacher"]
    with safe_open(digits_run.path / "model.safetensors", framework="np") as file:
        sha256 = json.loads(file.metadata()["vitrail"])["sha256"]
    assert teacher == {"reference": str(digits_run.path), "variant": "", "classes": "by_name", "sha256": sha256}
    notes = "\n".join(told)
    assert f"teacher {digits_run.path}: 10 classes, by name" in notes
    assert "hard distillation: the distillation token's head learns" in notes
    page = (taught.path / "report.html").read_text()
    assert sha256[:12] in page
    assert "hard distillation" in page


def test_config_toml_repeats_it_bit_for_bit(taught, tmp_path):
    again = vitrail.fit(config=taught.path / "config.toml", out=tmp_path / "again")
    ours, theirs = weights(taught.path), weights(again.path)
    assert again.plan == taught.plan == read_toml(taught.path / "config.toml", Plan)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_another_teacher_under_the_same_name_is_refused(taught, digits_run, tmp_path):
    text = (taught.path / "config.toml").read_text()
    config = tmp_path / "config.toml"
    config.write_text(text.replace(str(digits_run.path), str(taught.path)))
    with pytest.raises(ConfigError, match="sha256") as error:
        vitrail.fit(config=config, out=tmp_path / "run")
    assert "changed" in error.value.hint
    with pytest.raises(ConfigError, match="teacher"):
        vitrail.fit(config=taught.path / "config.toml", teacher=digits_run, out=tmp_path / "run")


def test_a_student_learns_from_the_teacher_alone(digits_run, tmp_path):
    """Labels are drawn by lot and have none of the loss: what is known afterwards, the teacher taught."""
    dataset, lots = open_dataset("digits", 0), np.random.default_rng(0)
    splits = {
        name: samples if name == "test" else replace(samples, labels=lots.permutation(samples.labels))
        for name, samples in dataset.splits.items()
    }
    settings = {"depth": 1, "batch_size": 64, "teacher_share": 1.0, "distillation": "soft"}
    ways = {"epochs": 3, "settings": settings, "teacher": digits_run, "out": tmp_path / "run"}
    run = vitrail.fit(replace(dataset, splits=splits), "vit_nano_conv_patch2_8", "small_few", **ways)
    images = [splits["test"].image(index) for index in range(len(splits["test"]))]
    answers, taught = (vitrail.load(one).logits(images).argmax(axis=1) for one in (digits_run, run))
    assert (answers == taught).mean() > 0.7
    assert run.top1 > 0.6


def test_classes_in_another_order_are_brought_to_this_one(digits_run, tmp_path):
    """The same weights, with the rows of the head and the names turned round, teach the same."""
    model, record = load_model(digits_run.path / "model.safetensors")
    images = 0.1 * np.arange(3 * 64, dtype=np.float32).reshape(3, 1, 8, 8) % 1
    images = torch.from_numpy(images)
    plain = Teacher(TeacherConfig(str(digits_run.path)), record.classes, record.spec)
    for value in (model.head.weight, model.head.bias):
        value.data = value.data.flip(0)
    save_model(tmp_path / "turned.safetensors", model, replace(record, classes=record.classes[::-1]))
    turned = Teacher(TeacherConfig(str(tmp_path / "turned.safetensors")), record.classes, record.spec)
    assert np.allclose(plain(images), turned(images), atol=1e-6)
    assert turned.told.endswith("by name, brought to this order")
    trusted = replace(TeacherConfig(str(tmp_path / "turned.safetensors")), classes="by_order")
    assert np.allclose(plain(images), Teacher(trusted, record.classes, record.spec)(images), atol=1e-6), (
        "names are better"
    )


def test_a_teacher_that_takes_other_images_sees_these_at_its_size(digits_run, tmp_path):
    record = load_model(digits_run.path / "model.safetensors")[1]
    spec = replace(record.spec.for_channels(3), size=(16, 16), mean=(0.4,) * 3)
    teacher = Teacher(TeacherConfig(str(digits_run.path)), record.classes, spec)
    images = torch.zeros(2, 3, 16, 16)
    assert teacher(images).shape == (2, 10)
    assert "it sees each batch at 8 × 8 pixels" in teacher.told


def test_teachers_with_other_classes_are_refused(digits_run, tmp_path):
    other = altered(digits_run, tmp_path / "other.safetensors", classes=tuple("abcdefghi9"))
    with pytest.raises(ConfigError, match="knows other classes than the data: without '0', '1'") as error:
        vitrail.fit("digits", teacher=other, out=tmp_path / "run")
    assert "fit it on these data first" in error.value.hint
    assert not (tmp_path / "run").exists()
    settings = {"teacher.classes": "by_order", **NANO}
    run = vitrail.fit("digits", **TOKEN, out=tmp_path / "trusting", teacher=other, settings=settings)
    assert run.plan.teacher.classes == "by_order"


def test_a_teacher_without_names_of_classes_is_refused(tmp_path):
    """Its numbers look like the names of the digits, but who knows; a conversion does not make names of them."""
    bare, own, digits = tmp_path / "bare.safetensors", tmp_path / "own.safetensors", open_dataset("digits", 0)
    save_file(vitrail.create_model("deit_tiny_patch16_224", img_size=32, num_classes=10).state_dict(), bare)
    spec = vitrail.ImageSpec((32, 32))
    with pytest.raises(ConfigError, match="does not name its 10 classes") as error:
        vitrail.fit(digits, "vit_nano_conv_patch2_8", teacher=bare, out=tmp_path / "run")
    assert "teacher.classes=by_order" in error.value.hint
    convert(bare, own, "vitrail")
    with pytest.raises(ConfigError, match="does not name its 10 classes"):
        settle_teacher(TeacherConfig(str(own)), digits.classes, spec)
    trusted = settle_teacher(TeacherConfig(str(own), classes="by_order"), digits.classes, spec)
    assert len(trusted.sha256) == 64
    with pytest.raises(ConfigError, match="10, not 3"):
        settle_teacher(replace(trusted, sha256=""), digits.classes[:3], spec)


@pytest.mark.parametrize(
    ("settings", "teacher", "told", "hint"),
    [
        ({"distillation": "soft"}, False, "distillation = soft without a teacher", "--teacher"),
        ({"distillation": "none"}, True, "distillation = none", "hard"),
        ({"distillation_token": True}, True, "no distillation token", "deit_tiny_distilled_patch16_224"),
        ({"temperature": 0}, True, "temperature", ""),
        ({"teacher_share": 1.5}, True, "teacher_share", ""),
    ],
)
def test_what_contradicts_itself_is_refused(digits_run, tmp_path, settings, teacher, told, hint):
    with pytest.raises(ConfigError, match=told) as error:
        vitrail.fit("digits", out=tmp_path / "run", teacher=digits_run if teacher else None, settings=settings)
    assert hint in error.value.hint


def test_deits_recipe_wants_a_teacher_and_a_token(digits_run, tmp_path):
    asked = {"recipe": "deit_distilled", "image_size": 16, "out": tmp_path / "run"}
    with pytest.raises(ConfigError, match="distillation = hard without a teacher"):
        vitrail.fit("digits", "deit_tiny_distilled_patch16_224", **asked)
    with pytest.raises(ConfigError, match="the model has no distillation token"):
        vitrail.fit("digits", "deit_tiny_patch16_224", teacher=digits_run, **asked)


def test_weights_without_a_token_get_none(digits_run, tmp_path):
    run = vitrail.fit("digits", **{**TOKEN, "model": "S/16"}, out=tmp_path / "start", settings=NANO)
    with pytest.raises(ConfigError, match="no distillation token") as error:
        vitrail.fit("digits", run.path, out=tmp_path / "run", settings={"distilled": True})
    assert "deit_small_distilled_patch16_224" in error.value.hint


def test_bands_are_not_shown_to_a_teacher_of_grey(digits_run):
    record = load_model(digits_run.path / "model.safetensors")[1]
    with pytest.raises(ConfigError, match=r"teacher .*: channels = 1"):
        Teacher(TeacherConfig(str(digits_run.path)), record.classes, record.spec.for_channels(5))


def test_the_command_line_says_what_is_wrong(capsys, tmp_path):
    assert main(["fit", "digits", "--teacher", "S/16", "--out", str(tmp_path / "run"), "--json"]) == 2
    assert "S/16 is a variant" in json.loads(capsys.readouterr().out)["error"]


def test_a_model_with_a_token_and_no_teacher_says_so(tmp_path):
    notes: list[str] = []
    vitrail.fit(
        "digits", **TOKEN, out=tmp_path / "run", settings=NANO,
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    assert any(
        note.startswith("no teacher: both heads of this distilled model learn from the labels") for note in notes
    )


def test_a_large_teacher_has_more_threads_than_its_small_student(digits_run, monkeypatch):
    record, seen = load_model(digits_run.path / "model.safetensors")[1], []
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        teacher = Teacher(TeacherConfig(str(digits_run.path)), record.classes, record.spec)
        teacher.model.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
        torch.set_num_threads(1)
        teacher(torch.zeros(2, 1, 8, 8))
        monkeypatch.setattr("vitrail.jobs.device.ONE_THREAD_MACS", 0)
        teacher(torch.zeros(2, 1, 8, 8))
        assert (seen, torch.get_num_threads()) == ([1, 3], 1)
    finally:
        torch.set_num_threads(before)
