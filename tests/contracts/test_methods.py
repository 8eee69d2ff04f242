"""What every way of explaining must keep: one suite over the table."""

from __future__ import annotations

import importlib.util
import re

import pytest
import torch

import vitrail
from vitrail.analysis.methods import METHODS, Question
from vitrail.core.errors import ConfigError

GRID = (2, 3)


@pytest.fixture(params=METHODS)
def name(request):
    if request.param == "integrated_gradients" and importlib.util.find_spec("captum") is None:
        pytest.skip("the extra explain is missing")
    return request.param


@torch.no_grad()
def question(target=None, layer=None, head=None, **fields):
    torch.manual_seed(0)
    config = {"img_size": (8, 12), "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 4, "num_classes": 3}
    model = vitrail.VisionTransformer(vitrail.ViTConfig.of(**{**config, **fields})).eval()
    for parameter in model.parameters():
        parameter.copy_(0.3 * torch.randn_like(parameter))
    images = torch.randn(1, 3, 8, 12)
    asked = None if target is None else torch.tensor([target])
    return Question(model, images, torch.full_like(images, -1.5), asked, layer, head)


def maps(name, **asked):
    return {answer.name: answer.map for answer in METHODS[name].ask(question(**asked))}


@pytest.mark.parametrize("fields", [{}, {"pool": "mean", "class_token": False, "registers": 2}, {"distilled": True}])
def test_maps_lie_on_the_grid(name, fields):
    answers = METHODS[name].ask(question(target=1, **fields))
    assert answers
    assert len({answer.name for answer in answers}) == len({answer.title for answer in answers}) == len(answers)
    for answer in answers:
        assert answer.map.shape == (1, *GRID) and answer.map.dtype == torch.float64
        assert answer.map.isfinite().all() and answer.map.abs().max() > 0
        assert answer.signed or (answer.map >= 0).all()
        assert not answer.map.requires_grad
        assert re.fullmatch(r"[a-z0-9_]+", answer.name)


def test_it_says_what_it_shows(name):
    row = METHODS[name]
    assert row.shows.endswith(".") and len(row.shows) > 40
    row.require()


def test_it_depends_on_the_class_as_it_says(name):
    first, second = maps(name, target=0), maps(name, target=2)
    assert any(not torch.equal(first[one], second[one]) for one in first) == METHODS[name].needs_class


def test_it_depends_on_the_layer_and_the_head_as_it_says(name):
    row, plain = METHODS[name], maps(name)
    assert (maps(name, layer=0).keys() != plain.keys()) == row.takes_layer
    assert (maps(name, head=1).keys() != plain.keys()) == row.takes_head


def test_it_needs_attention_as_it_says(name):
    asked = question(target=1, depth=0, pool="mean", class_token=False)
    if METHODS[name].needs_attention:
        with pytest.raises(ConfigError, match="no attention"):
            METHODS[name].ask(asked)
    else:
        assert METHODS[name].ask(asked)[0].map.abs().max() > 0


def test_no_two_rows_share_a_name():
    names = [answer for name in ("last", "rollout", "attention", "gradient_attention") for answer in maps(name)]
    assert len(set(names)) == len(names) and "integrated_gradients" not in names
