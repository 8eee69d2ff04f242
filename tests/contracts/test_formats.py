"""What every weight format must do."""

import pytest
import torch
from safetensors.torch import load_file

from vitrail.core.errors import WeightsError
from vitrail.data.spec import ImageSpec
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position.resample import RULES
from vitrail.weights.content import read_content
from vitrail.weights.differences import differences
from vitrail.weights.formats import FORMATS, Format
from vitrail.weights.formats.authors import Deit, Dinov2, Dinov3
from vitrail.weights.formats.timm import KEYS as TIMM_KEYS
from vitrail.weights.formats.torchvision import KEYS as TORCHVISION_KEYS
from vitrail.weights.load import detect, load_weights
from vitrail.weights.model_file import ModelRecord

TINY = {
    "img_size": 16, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 3.0, "num_classes": 3,
}  # fmt: skip
CLIP = {"pre_norm": True, "patch_bias": False, "act": "quick_gelu", "norm": {"kind": "layer_norm", "eps": 1e-5}}
DINOV2 = {"layer_scale": 1e-5, "num_classes": 0}
ROTATED = {
    "position": "rope_2d", "registers": 4, "layer_scale": 1e-5, "num_classes": 0, "embed_dim": 16,
    "norm": {"kind": "layer_norm", "eps": 1e-5},
}  # fmt: skip
MODELS = {
    "plain": {},
    "representation layer": {"representation_size": 12},
    "distilled": {"distilled": True},
    "one head beside two tokens": {"registers": 1},
    "mean": {"pool": "mean"},
    "mean alone, norm before": {"pool": {"kind": "mean", "norm_after": False}, "class_token": False},
    "no classes": {"num_classes": 0},
    "no qkv bias": {"qkv_bias": False},
    "layer scale": {"layer_scale": 1e-5, "position": {"kind": "learned_1d", "covers": "patches"}},
    "no position of the class": {"position": {"kind": "learned_1d", "covers": "patches"}},
    "clip": {**CLIP, "num_classes": 0},
    "clip with a head": CLIP,
    "dinov2": DINOV2,
    "dinov2 giant": {**DINOV2, "mlp": "swiglu"},
    "dinov2 with registers": {**DINOV2, "registers": 4, "position": {"kind": "learned_1d", "covers": "class"}},
    "dinov3": ROTATED,
    "dinov3 gated": {**ROTATED, "mlp": "swiglu"},
    "siglip": {"class_token": False, "pool": "map", "act": "gelu_tanh", "num_classes": 0},
    "map of big_vision": {"class_token": False, "pool": "map"},
    "qk norm": {"qk_norm": True},
    "hybrid": {"stem": {"kind": "resnet", "layers": (2, 1), "width": 32}, "patch_size": 8},
    "hybrid root": {"stem": {"kind": "resnet", "layers": (), "width": 32}, "patch_size": 8},
    "rms norm": {"norm": "rms_norm"},
    "fixed positions": {"position": "sincos_2d", "class_token": False, "pool": {"kind": "mean", "norm_after": False}},
    "no position": {"position": "none"},
    "convolutional stem": {"stem": "conv"},
    "scaled": {"qk_scale": 0.3},
}
HELD = {
    "vitrail": set(MODELS),
    "timm": set(MODELS) - {"representation layer", "no position", "convolutional stem", "scaled", "fixed positions"},
    "hugging-face": {
        "plain", "distilled", "one head beside two tokens", "no classes", "no qkv bias", "clip", "dinov2",
        "dinov2 giant", "dinov2 with registers", "dinov3", "dinov3 gated", "siglip",
    },
    "google": {
        "plain", "representation layer", "mean alone, norm before", "no classes", "no position of the class",
        "map of big_vision", "siglip", "hybrid", "hybrid root", "fixed positions",
    },
}  # fmt: skip
CHANGED = {("timm", "dinov2 with registers"): "the class token's position is added to it, as timm does"}
WRITERS = [name for name, row in FORMATS.items() if row.writes]
READERS = {
    "deit": ("plain", lambda state: {"model": state}, TIMM_KEYS),
    "mae": ("no classes", lambda state: {"model": {**state, "mask_token": torch.ones(1, 1, 16)}}, TIMM_KEYS),
    "dino": ("no classes", lambda state: state, TIMM_KEYS),
    "dinov2": ("dinov2 with registers", lambda state: {**state, "mask_token": torch.ones(1, 16)}, Dinov2.keys),
    "dinov3": ("dinov3 gated", lambda state: {**state, "rope_embed.periods": torch.tensor([1.0, 10.0])}, Dinov3.keys),
    "torchvision": ("plain", lambda state: state, TORCHVISION_KEYS),
}


@torch.no_grad()
def made(model, seed=1):
    config = ViTConfig.of(**{**TINY, **MODELS[model]})
    built = VisionTransformer(config).eval()
    generator = torch.Generator().manual_seed(seed)
    for value in built.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
    if config.position.kind == "rope_2d":
        for name, value in built.state_dict().items():
            if name.endswith("qkv.bias"):
                value[config.embed_dim : 2 * config.embed_dim] = 0  # DINOv3's keys have no bias
    classes = ("a cat", "größer", "犬")[: config.num_classes]
    spec = ImageSpec((16, 16), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bilinear", "crop", 0.5)
    return built, ModelRecord(config, classes, spec)


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", FORMATS)
def test_the_row_is_named_and_has_a_rule(name):
    row = FORMATS[name]
    assert isinstance(row, Format)
    assert row.name == name
    assert row.resize in RULES
    assert row.what
    assert not row.folder or row.writes


def test_every_format_is_covered_here():
    assert set(WRITERS) | set(READERS) == set(FORMATS)
    assert set(WRITERS) == set(HELD)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", WRITERS)
def test_what_is_written_reads_back_the_same_or_is_refused(name, model, tmp_path):
    built, record = made(model)
    out = tmp_path / "out"
    if model not in HELD[name]:
        with pytest.raises(WeightsError, match="has no place for"):
            FORMATS[name].write(out, built, record)
        assert not out.exists()
        return
    FORMATS[name].write(out, built, record)
    assert out.is_dir() == FORMATS[name].folder
    loaded = load_weights(out, known=FORMATS[name].known(record.config))
    assert loaded.report.format == name
    assert all("mask_token" in left for left in loaded.report.left)
    if (name, model) not in CHANGED:
        assert equal(loaded.model.state_dict(), built.state_dict())
        assert differences(loaded.record.config, record.config) == []
    assert not loaded.model.training
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(loaded.model(images), built(images), rtol=1e-5, atol=1e-5)
    FORMATS[name].write(tmp_path / "again", loaded.model, loaded.record)
    if name != "vitrail":
        assert equal(read_content(tmp_path / "again").tensors, read_content(out).tensors), "to ∘ from = identity"


@pytest.mark.parametrize("name", READERS)
def test_what_is_only_read_goes_back_to_the_same_names_and_numbers(name, tmp_path):
    model, wrap, keys = READERS[name]
    built, record = made(model)
    theirs, unknown = keys.to_theirs(built.state_dict(), 2)
    assert unknown == []
    torch.save(wrap(theirs), tmp_path / "weights.pth")
    loaded = load_weights(tmp_path / "weights.pth", known={"num_heads": 2})
    assert loaded.report.format == name
    assert equal(loaded.model.state_dict(), built.state_dict())
    assert equal(keys.to_theirs(loaded.model.state_dict(), 2)[0], theirs)
    with pytest.raises(WeightsError, match="is read, not written"):
        FORMATS[name].write(tmp_path / "out", built, record)


@pytest.mark.parametrize("name", [name for name in WRITERS if name != "vitrail"])
def test_a_content_is_detected_whatever_its_name(name, tmp_path):
    FORMATS[name].write(tmp_path / "out", *made("plain"))
    assert detect(read_content(tmp_path / "out")).name == name


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("vitrail", "hugging-face")])
def test_a_tensor_too_few_or_too_many_is_named(name, tmp_path):
    row = FORMATS[name]
    built, record = made("plain")
    row.write(tmp_path / "out", built, record)
    content = read_content(tmp_path / "out")
    for removed in list(content.tensors)[::5]:
        fewer = {key: value for key, value in content.tensors.items() if key != removed}
        save(tmp_path / "fewer", content.container, fewer)
        with pytest.raises(WeightsError):
            load_weights(tmp_path / "fewer", known={"num_heads": 2})
    save(tmp_path / "more", content.container, {**content.tensors, "odd.thing": torch.ones(2)})
    with pytest.raises(WeightsError, match=r"odd\.thing") as caught:
        load_weights(tmp_path / "more", known={"num_heads": 2})
    assert caught.value.hint


def save(path, container, tensors):
    import numpy as np
    from safetensors.torch import save_file

    if container == "npz":
        with path.open("wb") as file:
            np.savez(file, **{name: value.numpy() for name, value in tensors.items()})
    else:
        save_file(tensors, path)


def test_a_hugging_face_folder_keeps_labels_and_preprocessing(tmp_path):
    built, record = made("plain")
    FORMATS["hugging-face"].write(tmp_path / "out", built, record)
    loaded = load_weights(tmp_path / "out")
    assert loaded.record.classes == record.classes
    assert loaded.record.spec == record.spec
    assert "vit.encoder.layer.0.attention.attention.query.weight" in load_file(tmp_path / "out" / "model.safetensors")


def test_deit_is_told_from_timm_by_where_its_tensors_lie(tmp_path):
    state = TIMM_KEYS.to_theirs(made("distilled")[0].state_dict(), 2)[0]
    for wrapped, expected in (({"model": state}, "deit"), ({"state_dict": state}, "timm"), (state, "timm")):
        torch.save(wrapped, tmp_path / "weights.bin")
        assert load_weights(tmp_path / "weights.bin", known={"num_heads": 2}).report.format == expected
    assert Deit.resize == "deit"
