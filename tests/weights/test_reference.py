"""What a model reference stands for."""

from __future__ import annotations

from pathlib import Path

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


def test_an_unknown_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "flowers").mkdir(parents=True)
    for name, meant in (("vit_smal_patch16_224", "vit_small_patch16_224"), ("runs/flower", "runs/flowers")):
        with pytest.raises(WeightsError, match="no such run folder, model file or variant") as caught:
            model_path(name)
        assert f"did you mean {meant}" in caught.value.hint
    with pytest.raises(WeightsError) as caught:
        model_path("nothing/like/this")
    assert caught.value.hint == "give a run folder or a model file"


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "", "~", "runs/" + "y" * 300])
def test_impossible_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError):
        model_path(name)


def test_variants_are_known() -> None:
    assert all(is_variant(name) for name in VARIANTS) and is_variant("B/16")
    assert not any(is_variant(name) for name in ("", "B/0", "b16", "runs/flowers", "digits"))
    assert not is_variant(Path("/tmp"))
