"""Directories that transformers wrote, of every family, give its outputs here, and those written here ours there."""

import json

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from vitrail.core.errors import WeightsError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.weights.formats import FORMATS
from vitrail.weights.formats.families import FAMILIES
from vitrail.weights.load import load_weights
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import PREPROCESSING

SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 32, "patch_size": 8}
WIDE = {**SHAPE, "intermediate_size": 80}
TEXT = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 20,
    "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2,
}  # fmt: skip


def clip_config(**fields):
    vision = hf.CLIPVisionConfig(**WIDE, **fields)
    return hf.CLIPConfig(vision_config=vision.to_dict(), text_config=TEXT, projection_dim=16)


def siglip_config(**fields):
    vision = hf.SiglipVisionConfig(**WIDE, **fields)
    return hf.SiglipConfig(vision_config=vision.to_dict(), text_config=TEXT, num_labels=5)


def pooled(model, images):
    return model(pixel_values=images).pooler_output


def embedded(model, images):
    return model(pixel_values=images).image_embeds


def of_whole(model, images):
    return model.get_image_features(pixel_values=images).pooler_output


def of_mae(model, images):
    """Take the class token, on which the order that MAE shuffles the patches into has no bearing."""
    return model.vit(pixel_values=images).last_hidden_state[:, 0]


def classified(model, images):
    return model(pixel_values=images).logits


MADE = {
    "dinov2": (lambda: hf.Dinov2Model(hf.Dinov2Config(**SHAPE)), pooled),
    "dinov2 giant": (lambda: hf.Dinov2Model(hf.Dinov2Config(**SHAPE, use_swiglu_ffn=True)), pooled),
    "dinov2 with registers": (lambda: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**SHAPE)), pooled),
    "dinov2 giant with registers": (
        lambda: hf.Dinov2WithRegistersModel(hf.Dinov2WithRegistersConfig(**SHAPE, use_swiglu_ffn=True)), pooled,
    ),
    "dinov3": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**WIDE, num_register_tokens=4)), pooled),
    "dinov3 without registers": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**WIDE)), pooled),
    "dinov3 gated": (
        lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**WIDE, use_gated_mlp=True, hidden_act="silu")), pooled,
    ),
    "dinov3 with a bias of keys": (lambda: hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**WIDE, key_bias=True)), pooled),
    "clip": (lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**WIDE)), pooled),
    "clip of open_clip": (lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**WIDE, hidden_act="gelu")), pooled),
    "clip with projection": (
        lambda: hf.CLIPVisionModelWithProjection(hf.CLIPVisionConfig(**WIDE, projection_dim=16)), embedded,
    ),
    "whole clip": (lambda: hf.CLIPModel(clip_config()), of_whole),
    "siglip": (lambda: hf.SiglipVisionModel(hf.SiglipVisionConfig(**WIDE)), pooled),
    "whole siglip": (lambda: hf.SiglipModel(siglip_config()), of_whole),
    "siglip with classes": (lambda: hf.SiglipForImageClassification(siglip_config()), classified),
    "deit with one head": (lambda: hf.DeiTForImageClassification(hf.DeiTConfig(**WIDE, num_labels=5)), classified),
    "mae": (lambda: hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**WIDE, mask_ratio=0.0)), of_mae),
}  # fmt: skip
ANY_SIZE = ("dinov2", "dinov2 with registers", "dinov3")


def assert_same(got, expected):
    scale = expected.abs().max()
    assert got.shape == expected.shape
    assert 0.3 < scale < 100
    assert (expected[0] - expected[1]).abs().max() > 0.01 * scale, "the image must matter"
    assert (got - expected).abs().max() <= 1e-5 * scale


@torch.no_grad()
@pytest.mark.parametrize("stored", ["one file", "shards", "names of 5"])
@pytest.mark.parametrize("case", MADE)
def test_what_transformers_wrote_gives_its_outputs(case, stored, randomise, tmp_path):
    make, outputs = MADE[case]
    theirs = randomise(make()).eval()
    theirs.save_pretrained(tmp_path, max_shard_size="20KB" if stored == "shards" else "5GB")
    if stored == "names of 5":
        save_file({name: value.clone() for name, value in theirs.state_dict().items()}, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors.index.json").exists() == (stored == "shards")
    loaded, images = load_weights(tmp_path), torch.randn(2, 3, 32, 32)
    assert loaded.report.format == "hugging-face"
    assert_same(loaded.model(images), outputs(theirs, images))
    reasons = " ".join(loaded.report.left.values())
    assert not loaded.report.left or any(word in reasons for word in ("pre-training", "text tower", "classifier"))


@torch.no_grad()
@pytest.mark.parametrize("size", [(48, 48), (24, 40), (16, 64)], ids=str)
@pytest.mark.parametrize("case", ANY_SIZE)
def test_images_of_another_size_give_its_outputs(case, size, randomise, tmp_path):
    make, _ = MADE[case]
    theirs = randomise(make()).eval()
    theirs.save_pretrained(tmp_path)
    ours, images = load_weights(tmp_path).model, torch.randn(2, 3, *size)
    assert_same(ours.forward_features(images), theirs(pixel_values=images).last_hidden_state)


@torch.no_grad()
@pytest.mark.parametrize("case", ["clip", "siglip"])
def test_positions_are_carried_as_transformers_does(case, randomise, tmp_path):
    make, _ = MADE[case]
    theirs = randomise(make()).eval()
    theirs.save_pretrained(tmp_path)
    images = torch.randn(2, 3, 40, 48)
    ours = load_weights(tmp_path, known={"dynamic": True}).model
    assert_same(ours(images), theirs(pixel_values=images, interpolate_pos_encoding=True).pooler_output)


OURS = {
    "img_size": 32,
    "patch_size": 8,
    "embed_dim": 32,
    "depth": 2,
    "num_heads": 4,
    "mlp_ratio": 2.0,
    "num_classes": 0,
}
EPS = {"norm": {"kind": "layer_norm", "eps": 1e-5}}
CLIP = {"pre_norm": True, "patch_bias": False, "act": "quick_gelu", **EPS}
WRITTEN = {
    "Dinov2Model": {"layer_scale": 1e-5},
    "Dinov2WithRegistersModel": {
        "layer_scale": 1.0,
        "registers": 4,
        "position.covers": "class",
        "mlp": "swiglu",
        "mlp_ratio": 1.5,
    },
    "DINOv3ViTModel": {"layer_scale": 1.0, "registers": 4, "position": "rope_2d", **EPS},
    "CLIPVisionModel": CLIP,
    "CLIPVisionModelWithProjection": {**CLIP, "num_classes": 7},
    "SiglipVisionModel": {"class_token": False, "pool": "map", "act": "gelu_tanh"},
    "DeiTForImageClassification": {"registers": 1, "num_classes": 7},
}


@torch.no_grad()
@pytest.mark.parametrize("name", WRITTEN)
def test_transformers_reads_what_is_written(name, randomise, tmp_path):
    config = ViTConfig.of(**{**OURS, **WRITTEN[name]})
    model = randomise(VisionTransformer(config)).eval()
    spoil(model, name)
    classes = tuple(f"class {index}" for index in range(config.num_classes))
    record = ModelRecord(config, classes, PREPROCESSING["deit"].spec(config.image_size, 3))
    FORMATS["hugging-face"].write(tmp_path / "out", model, record)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["architectures"] == [name]
    theirs, told = getattr(hf, name).from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    images = torch.randn(2, 3, 32, 32)
    outputs = embedded if "Projection" in name else classified if "Classification" in name else pooled
    assert_same(model(images), outputs(theirs.eval(), images))
    hf.AutoModel.from_pretrained(tmp_path / "out")
    assert hf.AutoImageProcessor.from_pretrained(tmp_path / "out").crop_size["height"] == 32
    theirs.save_pretrained(tmp_path / "again")
    one, other = (load_file(tmp_path / folder / "model.safetensors") for folder in ("out", "again"))
    body = {name.removeprefix("vision_model."): value for name, value in other.items()}
    assert all(torch.equal(value, body[name.removeprefix("vision_model.")]) for name, value in one.items())


def spoil(model, name):
    """Give a model what its family's classes have not: no bias of keys, or of the projection."""
    for key, value in model.state_dict().items():
        if name.startswith("DINOv3") and key.endswith("qkv.bias"):
            value[32:64] = 0
        if "Projection" in name and key == "head.bias":
            value.zero_()


def test_every_family_is_covered():
    kinds = {make().config.model_type for make, _ in MADE.values()}
    assert kinds | {"vit"} == {kind for family in FAMILIES.values() for kind in family.kinds}


@torch.no_grad()
@pytest.mark.parametrize("make", [hf.ViTForMaskedImageModeling, hf.DeiTForMaskedImageModeling], ids=["vit", "deit"])
def test_what_hides_patches_in_pre_training_is_left(make, randomise, tmp_path):
    theirs = randomise(make(make.config_class(**WIDE))).eval()
    theirs.save_pretrained(tmp_path)
    loaded, images = load_weights(tmp_path, known={"num_classes": 0}), torch.randn(2, 3, 32, 32)
    body = theirs.base_model(pixel_values=images).last_hidden_state
    assert_same(loaded.model.forward_features(images), body)
    assert {name.rpartition(".")[2] for name in loaded.report.left} == {"mask_token", "weight", "bias"}


@pytest.mark.parametrize("case", ["dinov2 with registers", "dinov3 gated", "clip with projection", "siglip"])
def test_a_tensor_too_few_or_too_many_is_named(case, tmp_path):
    MADE[case][0]().save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    whole = load_file(path)
    spare = ("mask_token", "visual_projection.weight")
    needed = [name for name, value in whole.items() if value.numel() and not name.endswith(spare)]
    for removed in needed[::3]:
        save_file({name: value for name, value in whole.items() if name != removed}, path)
        with pytest.raises(WeightsError, match="missing"):
            load_weights(tmp_path)
    save_file({**whole, "odd.thing": torch.ones(2)}, path)
    with pytest.raises(WeightsError, match=r"odd\.thing"):
        load_weights(tmp_path)
    more = {name.replace(".1.", ".2."): value.clone() for name, value in whole.items()}
    save_file({**whole, **more}, path)
    with pytest.raises(WeightsError, match="3 blocks, and config.json says 2"):
        load_weights(tmp_path)
    name = next(name for name in whole if name.endswith(("fc2.weight", "down_proj.weight")))
    save_file({**whole, name: torch.ones(3, 5)}, path)
    with pytest.raises(WeightsError):
        load_weights(tmp_path)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: hf.Dinov2ForImageClassification(hf.Dinov2Config(**SHAPE)), "class token beside the mean"),
        (lambda: hf.CLIPForImageClassification(clip_config()), "not normalised"),
        (lambda: hf.BeitModel(hf.BeitConfig(**WIDE)), "'beit' is not read"),
    ],
    ids=["dinov2", "clip", "beit"],
)
def test_heads_that_vitrail_lacks_are_refused_in_words(make, words, tmp_path):
    make().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=words) as caught:
        load_weights(tmp_path)
    assert caught.value.hint
