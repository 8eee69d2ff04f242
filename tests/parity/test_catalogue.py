"""The catalogue says what timm says; each of its models, as timm keeps it on the Hub, is read and answers the same."""

from __future__ import annotations

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.models import get_pretrained_cfg
from timm.models._hub import save_config_for_hf

from vitrail.weights.catalogue import PRETRAINED
from vitrail.weights.load import load_weights

OF_TIMM = [name for name, row in PRETRAINED.items() if row.repo == f"timm/{name}"]
SMALL = 40_000_000
ARCHITECTURES = {PRETRAINED[name].architecture: name for name in OF_TIMM}
"""Architecture → one of its rows."""


def sized(names):
    """Mark the larger models as slow."""
    marks = {name: () if PRETRAINED[name].parameters < SMALL else pytest.mark.slow for name in names}
    return [pytest.param(name, marks=marks[name]) for name in names]


@pytest.mark.parametrize("name", OF_TIMM)
def test_rows_are_those_of_timm(name):
    row, theirs = PRETRAINED[name], get_pretrained_cfg(name)
    assert row.repo == theirs.hf_hub_id
    assert row.architecture == theirs.architecture
    assert row.licence == theirs.license
    assert row.classes == theirs.num_classes
    spec = row.spec
    assert (3, *spec.size) == theirs.input_size
    assert (spec.mean, spec.std) == (theirs.mean, theirs.std)
    assert (spec.interpolation, spec.crop_fraction) == (theirs.interpolation, theirs.crop_pct)
    assert spec.mode == {"center": "crop", "squash": "squash"}[theirs.crop_mode]


@pytest.mark.parametrize("name", sized(OF_TIMM))
def test_parameters_are_those_of_timm(name):
    with torch.device("meta"):
        theirs = timm.create_model(name)
    assert PRETRAINED[name].parameters == sum(value.numel() for value in theirs.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", sized(ARCHITECTURES.values()))
def test_what_timm_writes_is_read(name, tmp_path):
    row = PRETRAINED[name]
    theirs = timm.create_model(name, depth=2).eval()
    generator = torch.Generator().manual_seed(0)
    for value in theirs.parameters():
        value.normal_(0, value.shape[-1] ** -0.5, generator=generator)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    save_config_for_hf(theirs, str(tmp_path / "config.json"))
    loaded = load_weights(tmp_path)
    assert loaded.record.spec == row.spec
    assert loaded.record.config.num_classes == row.classes
    image = torch.randn(1, 3, *row.spec.size, generator=generator)
    expected = theirs(image)
    assert (loaded.model(image) - expected).abs().max() <= 1e-5 * expected.abs().max()
