"""The catalogue: what is in it, and how it is searched."""

from __future__ import annotations

import pytest

import vitrail
from vitrail.core.errors import ConfigError
from vitrail.data.spec import HALF, IMAGENET_MEAN
from vitrail.models.variants import VARIANTS
from vitrail.weights.catalogue import PRETRAINED, find_pretrained, list_pretrained, pretrained_of
from vitrail.weights.hub import HubReference


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_row_is_whole(name: str) -> None:
    row = PRETRAINED[name]
    assert HubReference.parse(f"hf:{row.repo}").repo == row.repo
    assert row.licence and row.parameters > 0 and row.classes >= 0
    assert name not in VARIANTS
    assert (row.top1 is None) == (row.source == "")
    assert row.top1 is None or 0.4 < row.top1 < 0.92


def test_one_row_as_published() -> None:
    row = PRETRAINED["vit_base_patch16_384.augreg_in21k_ft_in1k"]
    assert (row.top1, row.parameters, row.classes) == (0.8601, 86_859_496, 1000)
    assert (row.spec.size, row.spec.mean, row.spec.crop_fraction) == ((384, 384), HALF, 1.0)
    assert row.source == "timm, results-imagenet.csv"
    distilled = PRETRAINED["deit_tiny_distilled_patch16_224.fb_in1k"]
    assert (distilled.top1, distilled.spec.mean, distilled.spec.crop_fraction) == (0.74538, IMAGENET_MEAN, 0.9)


def test_names_are_found() -> None:
    name = "vit_tiny_patch16_224.augreg_in21k_ft_in1k"
    assert find_pretrained(name) is find_pretrained(f"timm/{name}") is PRETRAINED[name]
    for other in ("vit_tiny_patch16_224", "timm/", f"facebook/{name}", ""):
        assert find_pretrained(other) is None
    assert pretrained_of("vit_tiny_patch16_384") == ["vit_tiny_patch16_384.augreg_in21k_ft_in1k"]
    assert pretrained_of("vit_nano_conv_patch2_8") == []


def test_names_are_listed() -> None:
    assert vitrail.list_pretrained() == list(PRETRAINED)
    assert list_pretrained("deit_tiny") == [name for name in PRETRAINED if "deit_tiny" in name] != []
    assert list_pretrained("*.dino") == [name for name in PRETRAINED if name.endswith(".dino")] != []
    assert list_pretrained("resnet") == []


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        _ = PRETRAINED["deit_tiny_patch16_224.fb_in1"]
    assert "did you mean deit_tiny_patch16_224.fb_in1k" in caught.value.hint
