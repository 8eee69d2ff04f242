"""What a model reference stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vitrail.core.errors import WeightsError
from vitrail.models.variants import VARIANTS
from vitrail.weights.reference import MODEL_NAME, is_variant, model_path


def test_a_run_folder(tmp_path: Path) -> None:
    (tmp_path / MODEL_NAME).write_bytes(b"")
    assert model_path(tmp_path) == model_path(str(tmp_path)) == tmp_path / MODEL_NAME


def test_a_file_whatever_it_is_called(tmp_path: Path) -> None:
    path = tmp_path / "B" / "16"
    path.parent.mkdir()
    path.write_bytes(b"")
    assert model_path(path) == path


def test_a_file_goes_before_a_variant_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vit_tiny_patch16_224").write_bytes(b"")
    assert model_path("vit_tiny_patch16_224") == Path("vit_tiny_patch16_224")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    (tmp_path / MODEL_NAME).mkdir()
    with pytest.raises(WeightsError, match=f"a folder without {MODEL_NAME}") as caught:
        model_path(tmp_path)
    assert "vitrail fit" in caught.value.hint


@pytest.mark.parametrize("name", ["B/16", "vit_small_patch16_224", "deit_tiny_patch16_224"])
def test_a_bare_variant_has_no_weights(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=f"{name} is a variant: .* without trained weights") as caught:
        model_path(name)
    assert f"--model {name}" in caught.value.hint


def test_a_bare_variant_names_its_published_weights() -> None:
    with pytest.raises(WeightsError) as caught:
        model_path("vit_tiny_patch16_224")
    assert "published are vit_tiny_patch16_224.augreg_in21k, vit_tiny_" in caught.value.hint


TAGGED = "vit_small_patch16_224.augreg_in21k_ft_in1k"


@pytest.mark.parametrize("reference", [TAGGED, f"timm/{TAGGED}", f"{TAGGED}@v1"])
def test_a_name_of_the_catalogue_is_fetched(reference: str, hub: Any) -> None:
    repository = hub.add(f"timm/{TAGGED}", {"config.json": b"{}", "model.safetensors": b"main"})
    repository.commit({"config.json": b"{}", "model.safetensors": b"v1"}, ref="v1")
    content = (model_path(reference) / MODEL_NAME).read_bytes()
    assert content == (b"v1" if "@" in reference else b"main")


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        ("vit_small_patch16_224.augreg_in21k_ft_in1", TAGGED),
        ("timm/vit_small_patch16_224.augreg_in21k_ft_in1", f"timm/{TAGGED}"),
    ],
)
def test_an_unknown_tag_is_asked_of_nobody(reference: str, meant: str, hub: Any) -> None:
    with pytest.raises(WeightsError, match="no such .* published weights") as caught:
        model_path(reference)
    assert f"did you mean {meant}" in caught.value.hint
    assert hub.asked == []


def test_a_file_goes_before_published_weights_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hub: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / TAGGED).write_bytes(b"")
    assert model_path(TAGGED) == Path(TAGGED)
    assert hub.asked == []


def test_an_unknown_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "flowers").mkdir(parents=True)
    for name, meant in (("vit_smal_patch16_224", "vit_small_patch16_224"), ("runs/flower", "runs/flowers")):
        with pytest.raises(
            WeightsError, match="no such run folder, model file, variant or published weights"
        ) as caught:
            model_path(name)
        assert f"did you mean {meant}" in caught.value.hint
    with pytest.raises(WeightsError) as caught:
        model_path("nothing/like/this")
    assert caught.value.hint == "give a run folder, a model file, or hf:owner/name"


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "", "~", "runs/" + "y" * 300])
def test_impossible_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError):
        model_path(name)


def test_variants_are_known() -> None:
    assert all(is_variant(name) for name in VARIANTS) and is_variant("B/16")
    assert not any(is_variant(name) for name in ("", "B/0", "b16", "runs/flowers", "digits"))
    assert not is_variant(Path("/tmp"))
