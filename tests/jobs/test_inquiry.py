"""What is asked is made complete, or refused in words before any image is opened."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch

import vitrail
from vitrail.core.errors import ConfigError
from vitrail.jobs.inquiry import Inquiry
from vitrail.jobs.predictor import Predictor
from vitrail.weights.model_file import ModelRecord

TINY = {"img_size": 8, "patch_size": 4, "embed_dim": 8, "num_heads": 2, "num_classes": 3}


def predictor(classes=("cat", "dog", "sea lion"), **fields):
    torch.manual_seed(0)
    config = vitrail.ViTConfig.of(**{**TINY, "depth": 2, "num_classes": len(classes), **fields})
    record = ModelRecord(config, tuple(classes), vitrail.ImageSpec(size=(8, 8)))
    return Predictor(vitrail.VisionTransformer(config), record, Path("model.safetensors"))


@pytest.mark.parametrize(
    ("asked", "methods", "target"),
    [
        ({}, ("last", "rollout"), None),
        ({"target": "dog"}, ("last", "rollout", "gradient_attention"), 1),
        ({"target": 2}, ("last", "rollout", "gradient_attention"), 2),
        ({"layer": 0}, ("attention",), None),
        ({"head": 1}, ("attention",), None),
        ({"faithfulness": True}, ("last", "rollout"), None),
        ({"methods": ("rollout",), "target": "cat", "faithfulness": True}, ("rollout",), 0),
        ({"methods": ("heads", "rollout", "heads"), "layer": 1}, ("heads", "rollout"), None),
        ({"methods": ("heads", "attention"), "layer": 1, "head": 0}, ("heads", "attention"), None),
    ],
)
def test_methods_are_chosen_by_what_is_asked(asked, methods, target):
    found = Inquiry(**asked).settled(predictor())
    assert (found.methods, found.target) == (methods, target)


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"methods": ("rolout",)}, "unknown method 'rolout'", "did you mean rollout?"),
        ({"target": "sea lyon"}, "unknown class 'sea lyon'", "did you mean sea lion?"),
        ({"target": 3}, "target = 3 is not allowed; allowed: 0 … 2", ""),
        ({"layer": 2}, "layer = 2 does not exist", "layers 0 … 1"),
        ({"layer": -1}, "layer = -1 does not exist", "layers 0 … 1"),
        ({"head": 2}, "head = 2 does not exist", "heads 0 … 1"),
        ({"methods": ("rollout",), "layer": 1}, "layer = 1: none of rollout", "--method attention"),
        ({"methods": ("heads",), "head": 1}, "head = 1: none of heads", "--method attention"),
        ({"methods": ("last",), "target": "cat"}, "none of last knows a class", "--method gradient_attention"),
        ({"fill": "black"}, "unknown fill 'black'", "known: blur, mean"),
    ],
)
def test_what_does_not_exist_is_refused(asked, message, hint):
    with pytest.raises(ConfigError) as caught:
        Inquiry(**asked).settled(predictor())
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("asked", [{}, {"layer": 0}, {"methods": ("gradient_attention",)}, {"target": "cat"}])
def test_a_model_without_attention_is_told_what_needs_none(asked):
    with pytest.raises(ConfigError, match="no attention") as caught:
        Inquiry(**asked).settled(predictor(depth=0))
    assert caught.value.hint == "--method integrated_gradients needs no attention"


@pytest.mark.parametrize("asked", [{"target": "cat"}, {"faithfulness": True}, {"methods": ("gradient_attention",)}])
def test_a_model_without_classes_has_none_to_ask_about(asked):
    with pytest.raises(ConfigError, match="no classes to ask about") as caught:
        Inquiry(**asked).settled(predictor(classes=()))
    assert "last rollout need none" in caught.value.hint
    assert Inquiry().settled(predictor(classes=())).methods == ("last", "rollout")


def test_a_missing_package_is_said_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="captum") as caught:
        Inquiry(("integrated_gradients",)).settled(predictor())
    assert caught.value.hint == "pip install 'vitrail[explain]', or uv sync --extra explain"
