"""Converting keeps a file only if it answers as its source does."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import vitrail
from vitrail.cli.main import main
from vitrail.core.errors import ConfigError, WeightsError
from vitrail.data.spec import ImageSpec
from vitrail.jobs.convert import convert
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position.resample import resample
from vitrail.weights.formats.timm import Timm
from vitrail.weights.load import load_weights
from vitrail.weights.model_file import ModelRecord, load_model, save_model

TINY = {
    "img_size": 16, "patch_size": 4, "embed_dim": 64, "depth": 2, "num_heads": 1, "mlp_ratio": 2.0, "num_classes": 3,
}  # fmt: skip


@torch.no_grad()
def make(path, temperature=1.0, **fields):
    config = ViTConfig.of(**{**TINY, **fields})
    model = VisionTransformer(config)
    for value in model.parameters():
        value.normal_(0, 0.3)
    classes = tuple("abcdef"[: config.num_classes])
    save_model(path, model, ModelRecord(config, classes, ImageSpec((16, 16), crop_fraction=0.5), temperature))
    return model.eval()


@pytest.mark.parametrize("name", ["vitrail", "timm", "hugging-face", "google"])
def test_there_and_back_again(name, tmp_path):
    model = make(tmp_path / "a")
    there = convert(tmp_path / "a", tmp_path / "b", name)
    assert there.max_abs_diff == 0
    assert there.agreement == 1
    back = convert(tmp_path / "b", tmp_path / "c", "vitrail")
    assert back.report.format == name
    loaded, _ = load_model(tmp_path / "c")
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in loaded.state_dict().items())
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "b", "c"]


def test_what_differs_is_not_kept(tmp_path, monkeypatch):
    make(tmp_path / "a")

    def spoiled(self, out, model, record):
        state = dict(model.state_dict())
        state["head.bias"] = state["head.bias"] + 0.01
        save_file(state, out)

    monkeypatch.setattr(Timm, "write", spoiled)
    with pytest.raises(WeightsError, match=r"logits differ by 0\.01"):
        convert(tmp_path / "a", tmp_path / "new" / "b", "timm")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_existing_file_is_not_replaced(tmp_path):
    make(tmp_path / "a")
    (tmp_path / "b").write_text("mine")
    with pytest.raises(ConfigError, match="exists"):
        convert(tmp_path / "a", tmp_path / "b", "timm")
    assert (tmp_path / "b").read_text() == "mine"


def test_a_lost_temperature_is_said(tmp_path):
    make(tmp_path / "a", temperature=1.5)
    assert "not calibrated" in convert(tmp_path / "a", tmp_path / "b", "timm").notes[0]
    assert convert(tmp_path / "a", tmp_path / "c", "vitrail").notes == ()


def test_the_command_speaks_json(tmp_path, capsys):
    make(tmp_path / "a")
    assert main(["convert", str(tmp_path / "a"), str(tmp_path / "b"), "--format", "google", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["out"] == str(tmp_path / "b")
    assert answer["max_abs_diff"] == 0
    assert answer["agreement"] == 1
    with np.load(tmp_path / "b", allow_pickle=False) as arrays:
        assert arrays["embedding/kernel"].shape == (4, 4, 3, 64)


def test_load_takes_any_format_and_a_variant(tmp_path):
    model = make(tmp_path / "a", embed_dim=192, num_heads=3, depth=12, mlp_ratio=4.0, patch_size=16)
    convert(tmp_path / "a", tmp_path / "b", "timm")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    expected = vitrail.load(tmp_path / "a").logits(images)
    predictor = vitrail.load(tmp_path / "b", variant="Ti/16")
    assert predictor.classes == ("0", "1", "2")
    assert predictor.report.format == "timm"
    assert predictor.model.config == model.config
    assert expected.shape == (2, 3)
    with pytest.raises(WeightsError, match=r"not those of S/16: embed_dim 192 \(not 384\)"):
        vitrail.load(tmp_path / "b", variant="S/16")


def test_a_model_without_classes_gives_features_only(tmp_path):
    make(tmp_path / "a", num_classes=0)
    predictor = vitrail.load(tmp_path / "a")
    images = np.zeros((1, 16, 16, 3), dtype=np.uint8)
    assert predictor.embed(images).shape == (1, 64)
    with pytest.raises(ConfigError, match="no classes"):
        predictor.predict(images)
    with pytest.raises(ConfigError, match="no classes"):
        predictor.logits(images)


def test_positions_follow_another_rule_if_asked(tmp_path):
    make(tmp_path / "a")
    convert(tmp_path / "a", tmp_path / "b", "timm")
    plain, other = (
        vitrail.load(tmp_path / "b", image_size=24),
        vitrail.load(tmp_path / "b", image_size=24, resize="google"),
    )
    assert (plain.model.config.position.resize, other.model.config.position.resize) == ("timm", "google")
    assert other.record.config.position.resize == "google"
    assert plain.model.state_dict().keys() == other.model.state_dict().keys()
    images = np.random.default_rng(0).integers(0, 256, (2, 24, 24, 3), dtype=np.uint8)
    before = plain.logits(images)
    assert np.abs(before - other.logits(images)).max() > 1e-3
    again = vitrail.load(plain, resize="google")
    np.testing.assert_allclose(again.logits(images), other.logits(images), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(plain.logits(images), before)
    with pytest.raises(ConfigError, match=r"position\.resize"):
        vitrail.load(tmp_path / "b", resize="gogle")
    make(tmp_path / "rotary", position="rope_2d")
    with pytest.raises(ConfigError, match=r"position\.resize"):
        vitrail.load(tmp_path / "rotary", resize="google")


def test_fit_takes_another_rule(tmp_path):
    make(tmp_path / "a")
    settings = {"position.resize": "google", "steps": 1, "warmup": 0}
    run = vitrail.fit("digits", tmp_path / "a", out=tmp_path / "run", image_size=24, settings=settings)
    assert load_model(run.path / "model.safetensors")[1].config.position.resize == "google"


def test_fit_starts_from_other_weights_by_the_rule_of_their_format(tmp_path):
    make(tmp_path / "a", patch_size=4, img_size=16)
    convert(tmp_path / "a", tmp_path / "b", "google")
    notes = []
    run = vitrail.fit(
        "digits", tmp_path / "b", out=tmp_path / "run", epochs=1, image_size=24,
        settings={"lr": 1e-9, "warmup": 0, "probe_head": False},
        listener=lambda event: notes.append(getattr(event, "text", "")),
    )  # fmt: skip
    trained, record = load_model(run.path / "model.safetensors")
    assert record.config.position.resize == "google"
    assert any("(4, 4) to (6, 6) patches by the rule of vision_transformer" in text for text in notes)
    before = load_weights(tmp_path / "b").model.state_dict()["pos_embed"]
    patches = resample(before[0, 1:].unflatten(0, (4, 4)), (6, 6), "google").flatten(0, 1)
    expected = torch.cat([before[0, :1], patches])[None]
    torch.testing.assert_close(trained.state_dict()["pos_embed"], expected, rtol=0, atol=1e-3)
    assert trained.state_dict()["head.weight"].shape == (10, 64)
    assert load_file(run.path / "model.safetensors")["head.weight"].abs().max() < 1e-3, "it began with zeros"
