"""`hf:owner/name` wherever a reference is: load, predict and fit, from a Hub on this machine."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import load_file

import vitrail
from vitrail.cli.main import main
from vitrail.core.toml import read_toml
from vitrail.data.spec import ImageSpec
from vitrail.jobs.events import Note
from vitrail.jobs.plan import Plan
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.weights.catalogue import PRETRAINED
from vitrail.weights.formats import FORMATS
from vitrail.weights.model_file import ModelRecord, load_model, save_model

CARD = b"---\nlicense: cc-by-nc-4.0\n---\n"


@torch.no_grad()
def make(seed=0):
    """Make a small model with every parameter drawn at random, and its record."""
    config = ViTConfig.of(
        img_size=8, patch_size=4, embed_dim=64, depth=2, num_heads=1, mlp_ratio=2.0, num_classes=3, in_chans=3
    )
    model = VisionTransformer(config)
    generator = torch.Generator().manual_seed(seed)
    for value in model.parameters():
        value.normal_(0, 0.3, generator=generator)
    return model.eval(), ModelRecord(config, ("cat", "dog", "owl"), ImageSpec((8, 8)))


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()} | {"README.md": CARD}


@pytest.fixture
def written(tmp_path):
    """Give a folder of a small model as Hugging Face has it."""
    FORMATS["hugging-face"].write(tmp_path / "written", *make())
    return tmp_path / "written"


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 9, 3), np.uint8)).save(path)
    return str(path)


def test_load(hub, written, image):
    commit = hub.add("google/tiny", files_of(written)).refs["main"]
    mine, theirs = vitrail.load("hf:google/tiny"), vitrail.load(written)
    assert np.array_equal(mine.logits(image), theirs.logits(image))
    assert mine.classes == ("cat", "dog", "owl")
    assert mine.spec == theirs.spec
    source = {"source": f"hf:google/tiny@{commit}", "licence": "cc-by-nc-4.0"}
    assert source.items() <= mine.record.training["weights"].items()
    assert mine.path.name == commit


@torch.no_grad()
def test_real_weights_by_their_name_in_the_catalogue(hub, real_weights, image, monkeypatch):
    folder = real_weights / "dinov2-small"
    commit = hub.add("facebook/dinov2-small", files_of(folder)).refs["main"]
    predictor = vitrail.load("dinov2_small")
    hub.close()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = vitrail.load(f"hf:facebook/dinov2-small@{commit}")
    features = predictor.embed(image)
    assert np.array_equal(features, again.embed(image))
    pixels = torch.randn(2, 3, *predictor.spec.size)
    theirs = transformers.AutoModel.from_pretrained(folder).eval()(pixels).last_hidden_state
    assert (predictor.model.forward_features(pixels) - theirs).abs().max() <= 1e-4
    count = sum(value.numel() for value in predictor.model.parameters())
    assert count == PRETRAINED["dinov2_small"].parameters


def test_a_model_file_of_vitrail(hub, tmp_path, image):
    model, record = make()
    save_model(tmp_path / "flowers.safetensors", model, record)
    hub.add("me/flowers", {"model.safetensors": (tmp_path / "flowers.safetensors").read_bytes()})
    assert np.array_equal(
        vitrail.load("hf:me/flowers").logits(image), vitrail.load(tmp_path / "flowers.safetensors").logits(image)
    )


def test_predict_online_then_offline(hub, written, image, capsys, monkeypatch):
    hub.add("google/tiny", files_of(written))
    assert main(["predict", "hf:google/tiny", image, "--json"]) == 0
    first = capsys.readouterr()
    assert json.loads(first.out)["predictions"][0]["label"] in ("cat", "dog", "owl")
    assert "it/s" not in first.err
    hub.close()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert main(["predict", "hf:google/tiny", image, "--json"]) == 0
    assert capsys.readouterr().out == first.out


def test_convert(hub, written, tmp_path):
    hub.add("google/tiny", files_of(written))
    assert main(["convert", "hf:google/tiny", str(tmp_path / "timm.safetensors"), "--format", "timm"]) == 0
    state = make()[0].state_dict()
    found = load_file(tmp_path / "timm.safetensors")
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)


@pytest.mark.parametrize("reference", ["hf:google/tiny", "hf:google", "hf:google/other@v1"])
def test_what_is_not_there_is_said_in_one_line(hub, reference, image, capsys, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for command in (["predict", reference, image], ["fit", "digits", "--model", reference]):
        assert main([*command, "--json"]) == 2
        said = json.loads(capsys.readouterr().out)
        assert reference in said["error"] and said["hint"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git-lfs pointer"),
        (b"\x02\0\0\0\0\0\0\0{", "not a readable .safetensors"),
    ],
)
def test_what_the_hub_gives_is_looked_at_like_any_file(hub, image, content, words):
    hub.add("google/tiny", {"config.json": b"{}", "model.safetensors": content})
    with pytest.raises(vitrail.core.errors.WeightsError, match=words):
        vitrail.load("hf:google/tiny")


def test_fit_goes_on_from_one_commit(hub, written, tmp_path, monkeypatch):
    repository = hub.add("google/tiny", files_of(written))
    commit = repository.refs["main"]
    told = []
    first = vitrail.fit("digits", "hf:google/tiny", out=tmp_path / "first", epochs=1, listener=told.append)
    assert f"hf:google/tiny@{commit}: licence cc-by-nc-4.0" in [event.text for event in told if isinstance(event, Note)]
    assert read_toml(first.path / "config.toml", Plan).start == f"hf:google/tiny@{commit}"
    FORMATS["hugging-face"].write(tmp_path / "moved", *make(seed=1))
    assert repository.commit(files_of(tmp_path / "moved")) != commit
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    again = vitrail.fit(out=tmp_path / "again", config=first.path / "config.toml")
    (mine, record), (theirs, _) = (load_model(Path(run.path) / "model.safetensors") for run in (first, again))
    assert all(torch.equal(value, theirs.state_dict()[name]) for name, value in mine.state_dict().items())
    assert record.training["start"] == f"hf:google/tiny@{commit}"
    assert record.training["weights"]["licence"] == "cc-by-nc-4.0"
