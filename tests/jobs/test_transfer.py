"""Learning from trained weights: the default, every recipe of it, and what is refused."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import vitrail
from vitrail.core.errors import ConfigError, Interrupted
from vitrail.jobs.events import Note
from vitrail.train.checkpoint import read_record
from vitrail.train.loop import StepDone
from vitrail.train.recipes import RECIPES
from vitrail.weights.model_file import load_model


def tensors(run: Path) -> dict[str, np.ndarray]:
    with safe_open(run / "model.safetensors", framework="np") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def others(write_digits, tmp_path_factory):
    """Write digits under other class names than the run's."""
    return write_digits(tmp_path_factory.mktemp("data"), 60)


def changed(run: vitrail.jobs.fit.Run, start: vitrail.jobs.fit.Run) -> set[str]:
    """Name what learned, heads aside."""
    ours, theirs = tensors(run.path), tensors(start.path)
    assert ours.keys() == theirs.keys(), "a plain model"
    return {name for name in ours if not name.startswith("head") and not np.array_equal(ours[name], theirs[name])}


def test_weights_are_fine_tuned_where_nothing_is_said(digits_run, others, tmp_path):
    notes: list[str] = []
    run = vitrail.fit(
        others, digits_run.path, out=tmp_path / "run", epochs=1, settings={"batch_size": 8},
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    assert run.plan.recipe == replace(RECIPES["finetune"], batch_size=8)
    assert any(note.startswith("recipe finetune: suits training from trained weights on") for note in notes)
    assert "pos_embed" in changed(run, digits_run)


@pytest.mark.parametrize(
    ("recipe", "settings", "learned"),
    [
        ("linear", {}, ()),
        ("last_k_blocks", {"last_blocks": 1}, ("blocks.0.", "fc_norm.")),
        ("lora", {"lora.rank": 2}, ("blocks.0.attn.qkv.weight", "blocks.0.attn.proj.weight", "blocks.0.mlp.")),
        ("lora", {"lora.targets": r".*\.qkv"}, ("blocks.0.attn.qkv.weight",)),
    ],
)
def test_only_what_the_recipe_says_learns(digits_run, others, tmp_path, recipe, settings, learned):
    settings = {"batch_size": 8, **settings}  # a head of zeros passes nothing back in the first step
    run = vitrail.fit(others, digits_run.path, recipe, out=tmp_path / "run", epochs=2, settings=settings)
    names = changed(run, digits_run)
    assert all(name.startswith(learned) for name in names) if learned else not names
    assert bool(names) == bool(learned)
    assert np.abs(tensors(run.path)["head.weight"]).max() > 0, "the head learns"
    assert load_model(run.path / "model.safetensors")[1].classes == run.evaluation.classes


def test_a_run_of_thin_matrices_that_is_stopped_and_goes_on_writes_the_same_file(digits_run, others, tmp_path):
    settings = {"lora.rank": 2, "batch_size": 8, "ema": 0.9, "drop_rate": 0.1}
    ways = {"recipe": "lora", "epochs": 2, "settings": settings}

    def stop(event):
        if isinstance(event, StepDone) and event.step == steps // 2 + 2:
            os.kill(os.getpid(), signal.SIGINT)

    whole = vitrail.fit(others, digits_run.path, out=tmp_path / "whole", **ways)
    steps = whole.plan.steps
    with pytest.raises(Interrupted):
        vitrail.fit(others, digits_run.path, out=tmp_path / "cut", listener=stop, **ways)
    assert read_record(tmp_path / "cut" / "last" / "checkpoint.safetensors")["step"] == steps // 2 + 2 < steps
    again = vitrail.fit(others, digits_run.path, out=tmp_path / "cut", resume=True, **ways)
    written = [(run.path / "model.safetensors").read_bytes() for run in (whole, again)]
    assert written[0] == written[1]
    assert "blocks.0.mlp.fc1.weight" in changed(again, digits_run), "merged"
    assert np.abs(tensors(again.path)["head.weight"]).max() > 0, "the head is saved with it"


def test_a_head_on_a_handful_of_images_is_learned_and_warned_of(digits_run, write_digits, tmp_path):
    told = []
    data = write_digits(tmp_path / "data", 24, ("train", "train", "val"))
    run = vitrail.fit(data, digits_run.path, "linear", out=tmp_path / "run", epochs=2, listener=told.append)
    warnings = [event.text for event in told if isinstance(event, Note) and event.warning]
    (few,) = [text for text in warnings if text.startswith("only 8 validation images: best weights")]
    assert few in (run.path / "log.txt").read_text(encoding="utf-8")
    assert np.isfinite(tensors(run.path)["head.weight"]).all() and changed(run, digits_run) == set()


def test_the_papers_recipe_replaces_the_head_and_the_size(digits_run, tmp_path):
    settings = {"depth": 1, "batch_size": 128, "representation_size": 8}
    start = vitrail.fit("digits", "vit_nano_conv_patch2_8", out=tmp_path / "start", epochs=1, settings=settings)
    run = vitrail.fit("digits", start.path, "paper_finetune", out=tmp_path / "run", epochs=1, image_size=12)
    assert run.plan.model.representation_size is None and run.plan.model.image_size == (12, 12)
    assert run.plan.recipe == RECIPES["paper_finetune"]
    assert not any(name.startswith("pre_logits") for name in tensors(run.path))
    assert RECIPES["paper_finetune"].image_size == 384


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("lora", {"lora.targets": "queries"}, "lora.targets = 'queries' matches no linear layer"),
        ("lora", {"lora.targets": "(qkv"}, "not a regular expression"),
        ("last_k_blocks", {}, "last_blocks = 4 is not allowed; allowed: at most the model's 1 blocks"),
    ],
)
def test_parts_that_the_model_does_not_have_are_refused(digits_run, tmp_path, recipe, settings, words):
    with pytest.raises(ConfigError) as caught:
        vitrail.fit("digits", digits_run.path, recipe, out=tmp_path / "run", settings=settings)
    assert words in str(caught.value)
    assert not (tmp_path / "run").exists(), "before anything is written"


@pytest.mark.parametrize("recipe", ["linear", "lora", "last_k_blocks"])
def test_nothing_is_frozen_that_was_never_trained(quick, tmp_path, recipe):
    with pytest.raises(ConfigError, match="none of the model was trained") as caught:
        vitrail.fit("digits", recipe=recipe, out=tmp_path / "run", **quick)
    assert "--model" in caught.value.hint


@pytest.mark.parametrize("recipe", ["finetune", "lora"])
def test_a_fresh_head_begins_as_the_linear_probe(digits_run, others, tmp_path, recipe):
    still = {"lr": 1e-12, "batch_size": 16}
    run = vitrail.fit(others, digits_run.path, recipe, out=tmp_path / "probe", epochs=1, settings=still)
    assert run.baseline.tuned == run.baseline.accuracies["linear"]
    still["probe_head"] = False
    zeros = vitrail.fit(others, digits_run.path, recipe, out=tmp_path / "zeros", epochs=1, settings=still)
    assert zeros.baseline.tuned < run.baseline.tuned


def test_a_head_that_knows_the_classes_is_kept(digits_run, tmp_path):
    notes: list[str] = []
    run = vitrail.fit(
        "digits", digits_run.path, "finetune", out=tmp_path / "run", epochs=1, settings={"lr": 1e-12},
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    assert np.allclose(tensors(run.path)["head.weight"], tensors(digits_run.path)["head.weight"], atol=1e-9)
    assert not any("begins as the linear probe" in note for note in notes)
