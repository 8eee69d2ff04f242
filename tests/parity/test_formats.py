"""Weights that other libraries wrote give their logits here, and what is written here gives ours there."""

import json

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from transformers import (
    AutoImageProcessor,
    AutoModelForImageClassification,
    DeiTConfig,
    DeiTForImageClassificationWithTeacher,
    ViTConfig,
    ViTForImageClassification,
    ViTModel,
)

from vitrail.models import VisionTransformer
from vitrail.models import ViTConfig as OurConfig
from vitrail.weights.formats import FORMATS
from vitrail.weights.load import load_weights
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import PREPROCESSING

SHAPE = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 4, "num_classes": 5}
TIMM = {
    "plain": ("vit_tiny_patch16_224", {}),
    "mean": ("vit_tiny_patch16_224", {"global_pool": "avg"}),
    "mean alone": ("vit_tiny_patch16_224", {"global_pool": "avg", "class_token": False}),
    "distilled": ("deit_tiny_distilled_patch16_224", {}),
    "no qkv bias": ("vit_tiny_patch16_224", {"qkv_bias": False}),
    "features": ("vit_tiny_patch16_224", {"num_classes": 0}),
}
TRANSFORMERS = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96, "image_size": 32,
    "patch_size": 8, "num_labels": 5, "layer_norm_eps": 1e-12,
}  # fmt: skip


def of_timm(name, **fields):
    return timm.create_model(name, **{**SHAPE, **fields})


@pytest.mark.parametrize("container", ["safetensors", "pth", "state_dict", "old pth"])
@pytest.mark.parametrize("case", TIMM)
def test_timm(case, container, randomise, assert_same_logits, tmp_path):
    name, fields = TIMM[case]
    theirs = randomise(of_timm(name, **fields))
    path, state = tmp_path / "weights", theirs.state_dict()
    if container == "safetensors":
        save_file(state, path)
    else:
        state = {"state_dict": state, "epoch": 1} if container == "state_dict" else state
        torch.save(state, path, _use_new_zipfile_serialization=container != "old pth")
    loaded = load_weights(path, known={"num_heads": 4})
    bare = case == "features" and container in ("pth", "old pth")
    assert loaded.report.format == ("dino" if bare else "timm")
    assert_same_logits(loaded.model, theirs, (32, 32))


def test_timm_folder_says_heads_and_preprocessing(randomise, assert_same_logits, tmp_path):
    theirs = randomise(timm.create_model("vit_tiny_patch16_224", img_size=32, depth=2, num_classes=3))
    timm.models.save_for_hf(theirs, tmp_path / "out", {"label_names": ["a", "b", "c"]}, safe_serialization=True)
    loaded = load_weights(tmp_path / "out")
    assert_same_logits(loaded.model, theirs, (32, 32))
    assert loaded.record.classes == ("a", "b", "c")
    assert loaded.record.spec.mean == (0.5, 0.5, 0.5)
    assert loaded.record.spec.interpolation == "bicubic"
    assert loaded.record.spec.crop_fraction == theirs.pretrained_cfg["crop_pct"]


@pytest.mark.parametrize("representation", [None, 48], ids=["plain", "pre-logits"])
@pytest.mark.parametrize("old", [False, True], ids=["today's names", "first names"])
def test_torchvision(representation, old, randomise, assert_same_logits, tmp_path):
    theirs = randomise(
        torchvision.models.VisionTransformer(
            image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=128, mlp_dim=96, num_classes=7,
            representation_size=representation,
        )
    )  # fmt: skip
    state = theirs.state_dict()
    if old:
        renames = {"mlp.0.": "mlp.linear_1.", "mlp.3.": "mlp.linear_2."}
        for new, first in renames.items():
            state = {name.replace(new, first): value for name, value in state.items()}
    torch.save(state, tmp_path / "weights.pth")
    loaded = load_weights(tmp_path / "weights.pth")
    assert loaded.record.spec == PREPROCESSING["torchvision"].spec((32, 32), 3)
    assert_same_logits(loaded.model, theirs, (32, 32))


@pytest.mark.parametrize("shards", [False, True], ids=["one file", "shards"])
@pytest.mark.parametrize("size", [32, (32, 48)], ids=str)
def test_transformers_vit(size, shards, randomise, assert_same_logits, tmp_path):
    theirs = randomise(ViTForImageClassification(ViTConfig(**{**TRANSFORMERS, "image_size": size})))
    theirs.save_pretrained(tmp_path, max_shard_size="20KB" if shards else "5GB")
    assert (tmp_path / "model.safetensors.index.json").exists() == shards
    loaded = load_weights(tmp_path)
    assert loaded.report.format == "hugging-face"
    assert loaded.record.config.block.norm.eps == 1e-12
    assert_same_logits(loaded.model, theirs, loaded.record.config.image_size)


def test_transformers_names_of_5(randomise, assert_same_logits, tmp_path):
    theirs = randomise(ViTForImageClassification(ViTConfig(**TRANSFORMERS)))
    theirs.config.save_pretrained(tmp_path)
    state = theirs.state_dict()
    assert "vit.layers.0.attention.q_proj.weight" in state
    save_file(state, tmp_path / "model.safetensors")
    assert_same_logits(load_weights(tmp_path).model, theirs, (32, 32))


def test_transformers_deit(randomise, assert_same_logits, tmp_path):
    theirs = randomise(DeiTForImageClassificationWithTeacher(DeiTConfig(**TRANSFORMERS)))
    theirs.save_pretrained(tmp_path)
    loaded = load_weights(tmp_path)
    assert loaded.record.config.tokens.distilled
    assert_same_logits(loaded.model, theirs, (32, 32))


@torch.no_grad()
def test_transformers_pooler_is_the_representation_layer(randomise, tmp_path):
    theirs = randomise(ViTModel(ViTConfig(**TRANSFORMERS))).eval()
    theirs.save_pretrained(tmp_path)
    ours, images = load_weights(tmp_path).model, torch.randn(2, 3, 32, 32)
    expected = theirs(images).pooler_output
    assert (ours(images) - expected).abs().max() <= 1e-5 * expected.abs().max()


def ours(randomise, **fields):
    config = OurConfig.of(**{**SHAPE, **fields})
    model = randomise(VisionTransformer(config)).eval()
    classes = tuple(f"class {index}" for index in range(config.num_classes))
    return model, ModelRecord(config, classes, PREPROCESSING["deit"].spec(config.image_size, 3))


@pytest.mark.parametrize("fields", [{}, {"distilled": True}, {"norm": {"kind": "layer_norm", "eps": 1e-12}}], ids=str)
def test_transformers_reads_what_is_written(fields, randomise, assert_same_logits, tmp_path):
    model, record = ours(randomise, **fields)
    FORMATS["hugging-face"].write(tmp_path / "out", model, record)
    load = DeiTForImageClassificationWithTeacher if fields.get("distilled") else AutoModelForImageClassification
    theirs, told = load.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not told["missing_keys"]
    assert not told["unexpected_keys"]
    assert_same_logits(model, theirs, (32, 32))
    assert theirs.config.id2label == dict(enumerate(record.classes))
    processor = AutoImageProcessor.from_pretrained(tmp_path / "out")
    assert tuple(processor.image_mean) == record.spec.mean
    assert processor.crop_size["height"] == 32


@pytest.mark.parametrize(
    ("fields", "theirs_fields"),
    [
        ({}, {}),
        ({"class_token": False, "pool": {"kind": "mean", "norm_after": False}},
         {"class_token": False, "global_pool": "avg", "fc_norm": False}),
    ],
    ids=["names of 2020", "names of big_vision"],
)  # fmt: skip
def test_timm_reads_the_npz_that_is_written(fields, theirs_fields, randomise, assert_same_logits, tmp_path):
    model, record = ours(randomise, **fields)
    FORMATS["google"].write(tmp_path / "weights.npz", model, record)
    theirs = randomise(of_timm("vit_tiny_patch16_224", **theirs_fields), seed=2)
    theirs.load_pretrained(str(tmp_path / "weights.npz"))
    assert_same_logits(model, theirs, (32, 32))


@pytest.mark.parametrize("fields", [{}, {"distilled": True}, {"pool": "mean"}], ids=str)
def test_timm_reads_what_is_written(fields, randomise, assert_same_logits, tmp_path):
    model, record = ours(randomise, **fields)
    FORMATS["timm"].write(tmp_path / "weights.safetensors", model, record)
    name = "deit_tiny_distilled_patch16_224" if "distilled" in fields else "vit_tiny_patch16_224"
    theirs = of_timm(name, **({"global_pool": "avg"} if "pool" in fields else {}))
    theirs.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    assert_same_logits(model, theirs, (32, 32))


def test_a_folder_of_another_family_names_those_that_are_read(tmp_path):
    save_file({"embeddings.cls_token": torch.zeros(1, 1, 4)}, tmp_path / "model.safetensors")
    for kind, part in (("beit", "dinov2"), ("resnet", "siglip")):
        (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
        with pytest.raises(Exception, match="is not read") as caught:
            load_weights(tmp_path)
        assert part in str(caught.value)
