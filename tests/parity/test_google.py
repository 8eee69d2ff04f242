"""Google's `.npz`, of 2020 and of big_vision, hybrids and attention pooling: timm reads what is written, and what is
written from timm's weights by a map of its own gives timm's logits here.
"""

import numpy as np
import pytest
import timm
import torch
from timm.models.vision_transformer_hybrid import _create_vision_transformer_hybrid, _resnetv2

from vitrail.models import VisionTransformer
from vitrail.models import ViTConfig as OurConfig
from vitrail.weights.formats import FORMATS
from vitrail.weights.load import load_weights
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.preprocessing import PREPROCESSING
from vitrail.weights.start import take_over

SHAPE = {"img_size": 64, "embed_dim": 64, "depth": 2, "num_heads": 4, "num_classes": 5}
SHARED = {"num_heads": 4, "act": "gelu"}


def plain(**fields):
    return timm.create_model("vit_tiny_patch16_224", **{**SHAPE, **fields})


def hybrid(layers, patch_size):
    fields = {**SHAPE, "patch_size": patch_size}
    return _create_vision_transformer_hybrid("vit_base_r50_s16_224", backbone=_resnetv2(layers=layers), **fields)


def stem(layers):
    return {"stem": {"kind": "resnet", "layers": layers}}


MEAN = {"class_token": False, "global_pool": "avg", "fc_norm": False}
MAP = {"class_token": False, "global_pool": "map"}
CASES = {
    "plain": (plain, {}, False),
    "hybrid root": (lambda: hybrid((), 8), {**stem(()), "patch_size": 32}, False),
    "hybrid": (lambda: hybrid((2, 1), 1), {**stem((2, 1)), "patch_size": 8}, False),
    "hybrid of three stages": (lambda: hybrid((1, 2, 1), 1), {**stem((1, 2, 1)), "patch_size": 16}, False),
    "no position of the class": (
        lambda: plain(no_embed_class=True), {"position": {"kind": "learned_1d", "covers": "patches"}}, True,
    ),
    "mean": (lambda: plain(**MEAN), {"class_token": False, "pool": {"kind": "mean", "norm_after": False}}, True),
    "map": (lambda: plain(**MAP), {"class_token": False, "pool": "map"}, True),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_timm_reads_what_is_written(case, randomise, assert_same_logits, tmp_path):
    make, fields, _ = CASES[case]
    config = OurConfig.of(**{**SHAPE, "patch_size": 16, **fields})
    model = randomise(VisionTransformer(config)).eval()
    record = ModelRecord(config, tuple("abcde"), PREPROCESSING["google"].spec((64, 64), 3))
    path = tmp_path / "weights.npz"
    FORMATS["google"].write(path, model, record)
    theirs = randomise(make(), seed=2)
    theirs.load_pretrained(str(path))
    assert_same_logits(model, theirs, (64, 64))
    back = load_weights(path, known=FORMATS["google"].known(config)).model.state_dict()
    assert back.keys() == model.state_dict().keys()
    assert all(torch.equal(value, back[name]) for name, value in model.state_dict().items())


def published(model, new):
    """Write a timm model as Google's code would, by a map that is none of vitrail's."""
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    width, heads = state["blocks.0.norm1.weight"].shape[0], 4
    out = {}

    def norm(ours, theirs):
        out[f"{theirs}/scale"], out[f"{theirs}/bias"] = state[f"{ours}.weight"], state[f"{ours}.bias"]

    def dense(ours, theirs):
        out[f"{theirs}/kernel"], out[f"{theirs}/bias"] = state[f"{ours}.weight"].T, state[f"{ours}.bias"]

    def attention(weights, biases, ours, theirs):
        for part, weight, bias in zip(("query", "key", "value"), weights, biases, strict=True):
            out[f"{theirs}/{part}/kernel"] = weight.T.reshape(width, heads, -1)
            out[f"{theirs}/{part}/bias"] = bias.reshape(heads, -1)
        out[f"{theirs}/out/kernel"] = state[f"{ours}.proj.weight"].T.reshape(heads, -1, width)
        out[f"{theirs}/out/bias"] = state[f"{ours}.proj.bias"]

    number, second, mlp = (0, 1, 0) if new else (1, 2, 3)
    for index in range(2):
        ours, theirs = f"blocks.{index}", f"Transformer/encoderblock_{index}"
        norm(f"{ours}.norm1", f"{theirs}/LayerNorm_0")
        norm(f"{ours}.norm2", f"{theirs}/LayerNorm_{second}")
        weights, biases = (np.split(state[f"{ours}.attn.qkv.{kind}"], 3) for kind in ("weight", "bias"))
        attention(weights, biases, f"{ours}.attn", f"{theirs}/MultiHeadDotProductAttention_{number}")
        for layer in (0, 1):
            dense(f"{ours}.mlp.fc{layer + 1}", f"{theirs}/MlpBlock_{mlp}/Dense_{layer}")
    norm("norm", "Transformer/encoder_norm")
    dense("head", "head")
    out["embedding/kernel"] = state["patch_embed.proj.weight"].transpose(2, 3, 1, 0)
    out["embedding/bias"] = state["patch_embed.proj.bias"]
    out |= {"cls": state["cls_token"]} if "cls_token" in state else {}
    out["pos_embedding" if new else "Transformer/posembed_input/pos_embedding"] = state["pos_embed"]
    if "attn_pool.latent" in state:
        pool, at = "attn_pool", "MAPHead_0"
        out[f"{at}/probe"] = state[f"{pool}.latent"]
        weights, biases = (
            [state[f"{pool}.q.{kind}"], *np.split(state[f"{pool}.kv.{kind}"], 2)] for kind in ("weight", "bias")
        )
        attention(weights, biases, pool, f"{at}/MultiHeadDotProductAttention_0")
        norm(f"{pool}.norm", f"{at}/LayerNorm_0")
        for layer in (0, 1):
            dense(f"{pool}.mlp.fc{layer + 1}", f"{at}/MlpBlock_0/Dense_{layer}")
    for name, value in state.items():
        if name.startswith("patch_embed.backbone."):
            out |= of_backbone(name.removeprefix("patch_embed.backbone.").split("."), value)
    return out


def of_backbone(parts, value):
    at, unit, kind = "", [], parts[-1]
    if parts[0] == "stages":
        at, unit = f"block{int(parts[1]) + 1}/unit{int(parts[3]) + 1}/", parts[4:-1]
    root = {"conv": "conv_root", "norm": "gn_root"}
    if not unit:
        name = root[parts[-2]]
    elif unit[0] == "downsample":
        name = {"conv": "conv_proj", "norm": "gn_proj"}[unit[1]]
    else:
        name = unit[0].replace("norm", "gn")
    if "conv" in name:
        return {f"{at}{name}/kernel": value.transpose(2, 3, 1, 0)}
    return {f"{at}{name}/{'scale' if kind == 'weight' else 'bias'}": value.reshape(1, 1, 1, -1)}


FILES = [(case, prefix) for case, (*_, new) in CASES.items() for prefix in ("", "params/" if new else "opt/target/")]


@pytest.mark.parametrize(("case", "prefix"), FILES)
def test_what_google_wrote(case, prefix, randomise, assert_same_logits, tmp_path):
    make, _, new = CASES[case]
    theirs = randomise(make()).eval()
    arrays = {prefix + name: value for name, value in published(theirs, new).items()}
    np.savez(tmp_path / "weights.npz", **arrays, **({"opt/step": np.zeros(1)} if prefix else {}))
    loaded = load_weights(tmp_path / "weights.npz", known={**SHARED, **eps(theirs, 1e-5)})
    assert loaded.report.format == "google"
    assert set(loaded.report.left) == ({"opt/step"} if prefix else set())
    assert_same_logits(loaded.model, theirs, (64, 64))


def eps(model, value):
    return {"stem.norm_eps": value} if hasattr(model.patch_embed, "backbone") else {}


def test_blocks_that_big_vision_stacked(randomise, assert_same_logits, tmp_path):
    theirs = randomise(plain(**MAP)).eval()
    arrays = published(theirs, True)
    first = [name for name in arrays if name.startswith("Transformer/encoderblock_0/")]
    for name in first:
        other = name.replace("encoderblock_0", "encoderblock_1")
        stacked = np.stack([arrays.pop(name), arrays.pop(other)])
        arrays[name.replace("encoderblock_0", "encoderblock")] = stacked
    arrays = {f"params/img/{name}": value for name, value in arrays.items()}
    np.savez(tmp_path / "weights.npz", **arrays, **{"params/txt/head/bias": np.zeros(2), "params/t": np.zeros(1)})
    theirs_again = randomise(plain(**MAP), seed=2)
    theirs_again.load_pretrained(str(tmp_path / "weights.npz"))
    loaded = load_weights(tmp_path / "weights.npz", known=SHARED)
    assert set(loaded.report.left) == {"params/txt/head/bias", "params/t"}
    assert loaded.record.spec.mode == "squash"
    assert_same_logits(loaded.model, theirs, (64, 64))
    assert_same_logits(loaded.model, theirs_again, (64, 64))


def test_alone_a_file_means_what_googles_code_computes(randomise, tmp_path):
    np.savez(tmp_path / "weights.npz", **published(randomise(hybrid((1, 1), 1)).eval(), False))
    config = load_weights(tmp_path / "weights.npz").record.config
    assert config.block.act == "gelu_tanh"
    assert config.block.num_heads == 4
    assert config.stem.norm_eps == 1e-6
    assert config.position.resize == "google"


@pytest.mark.parametrize("case", ["plain", "map"])
def test_another_size_is_by_googles_rule(case, randomise, assert_same_logits, tmp_path):
    make, _, new = CASES[case]
    small = randomise(make()).eval()
    np.savez(tmp_path / "weights.npz", **published(small, new))
    theirs = randomise(plain(img_size=96, **(MAP if case == "map" else {})), seed=2)
    state, prefix = small.state_dict(), 0 if case == "map" else 1
    grid = state["pos_embed"][:, prefix:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, size=(6, 6), mode="bilinear", align_corners=True)
    grid = grid.permute(0, 2, 3, 1).flatten(1, 2)
    theirs.load_state_dict({**state, "pos_embed": torch.cat([state["pos_embed"][:, :prefix], grid], dim=1)})
    loaded = load_weights(tmp_path / "weights.npz", known=SHARED)
    ours = VisionTransformer(loaded.record.config.updated(img_size=96))
    ours.load_state_dict(take_over(ours, loaded.model, same_classes=True).state)
    assert_same_logits(ours, theirs, (96, 96))


@torch.no_grad()
def test_fixed_positions_are_not_in_a_file(randomise, tmp_path):
    fields = {"class_token": False, "position": "sincos_2d", "pool": {"kind": "mean", "norm_after": False}}
    config = OurConfig.of(**{**SHAPE, "img_size": 224, "patch_size": 32, "representation_size": 24, **fields})
    model = randomise(VisionTransformer(config)).eval()
    record = ModelRecord(config, tuple("abcde"), PREPROCESSING["big_vision"].spec((224, 224), 3))
    FORMATS["google"].write(tmp_path / "weights.npz", model, record)
    loaded = load_weights(tmp_path / "weights.npz", known={"act": "gelu"})
    assert any("fixed sines and cosines" in note for note in loaded.report.notes)
    images = torch.randn(2, 3, 224, 224)
    assert torch.equal(loaded.model(images), model(images))
