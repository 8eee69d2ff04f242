"""Every verb that takes a REF takes weights of other libraries, and `--variant` where they do not say what they are."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import vitrail
from vitrail.cli.main import main
from vitrail.data.spec import HALF, IMAGENET_MEAN
from vitrail.weights.formats import FORMATS
from vitrail.weights.model_file import ModelRecord, load_model

SHAPE = {"img_size": 32, "num_classes": 10}
VERBS = {
    "predict": ["predict", "{ref}", "{images}", "--out", "{out}.json"],
    "embed": ["embed", "{ref}", "{images}", "--out", "{out}.parquet"],
    "explain": ["explain", "{ref}", "{images}", "--out", "{out}"],
    "evaluate": ["evaluate", "{ref}", "digits", "--out", "{out}.csv"],
    "convert": ["convert", "{ref}", "{out}", "--format", "vitrail"],
    "fit": ["fit", "digits", "--model", "{ref}", "--set", "steps=2", "--out", "{out}", "--recipe", "small"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A DeiT-Ti/16 as a bare file of timm and as a Hugging Face folder, and an image."""
    path = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    model = vitrail.create_model("deit_tiny_patch16_224", **SHAPE).eval()
    with torch.no_grad():
        model.head.weight.normal_(0, 0.1)
    save_file(model.state_dict(), path / "timm.safetensors")
    classes = tuple(map(str, range(10)))
    spec = vitrail.ImageSpec((32, 32), interpolation="bicubic", crop_fraction=0.5)
    FORMATS["hugging-face"].write(path / "folder", model, ModelRecord(model.config, classes, spec))
    (path / "images").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path / "images" / "image.png")
    return path


@pytest.mark.parametrize("ref", ["timm.safetensors", "folder"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_takes_weights_and_their_variant(verb, ref, folder, tmp_path, capsys):
    places = {"ref": folder / ref, "images": folder / "images", "out": tmp_path / "out"}
    command = [part.format(**places) for part in VERBS[verb]]
    assert main([*command, "--variant", "deit_tiny_patch16_224", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)
    command = [part.format(**{**places, "out": tmp_path / "other"}) for part in VERBS[verb]]
    assert main([*command, "--variant", "vit_small_patch16_224", "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert "not those of vit_small_patch16_224: embed_dim 192 (not 384)" in answer["error"]
    assert answer["hint"]


@pytest.mark.parametrize(("variant", "mean"), [("deit_tiny_patch16_224", IMAGENET_MEAN), ("Ti/16", HALF)])
def test_the_variant_settles_the_preprocessing(variant, mean, folder, tmp_path, capsys):
    assert vitrail.load(folder / "timm.safetensors", variant=variant).spec.mean == mean
    run = tmp_path / "run"
    command = ["fit", "digits", "--model", str(folder / "timm.safetensors"), "--variant", variant, "--recipe", "small"]
    assert main([*command, "--set", "steps=2", "--out", str(run)]) == 0
    assert load_model(run / "model.safetensors")[1].spec.mean == mean
    assert f'variant = "{variant}"' in (run / "config.toml").read_text()
    capsys.readouterr()
    assert main(["fit", "--config", str(run / "config.toml"), "--out", str(tmp_path / "again")]) == 0
    one, other = (path / "model.safetensors" for path in (run, tmp_path / "again"))
    one, other = (load_model(path)[0].state_dict() for path in (one, other))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_what_a_bare_file_leaves_open_is_said(folder, capsys):
    assert main(["predict", str(folder / "timm.safetensors"), str(folder / "images")]) == 0
    said = capsys.readouterr().err
    assert "3 heads, as size Ti has" in said
    assert "the file does not say its preprocessing" in said
    assert "the classes have no names" in said


def test_a_model_file_is_held_against_the_variant_too(folder, tmp_path):
    vitrail.load(folder / "folder")
    assert main(["convert", str(folder / "folder"), str(tmp_path / "own"), "--format", "vitrail"]) == 0
    assert vitrail.load(tmp_path / "own", variant="Ti/16").model.config.embed_dim == 192
    with pytest.raises(vitrail.WeightsError, match="not those of S/16"):
        vitrail.load(tmp_path / "own", variant="S/16")


def test_a_variant_without_weights_is_refused(capsys):
    assert main(["fit", "digits", "--model", "Ti/16", "--variant", "Ti/16"]) == 2
    assert "without weights that it describes" in capsys.readouterr().err
