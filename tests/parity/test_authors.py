"""The `.pth` files of DeiT III, MAE and DINO to DINOv3, in the layout that their authors published, give the same here.

The weights are timm's, drawn at random; their names are put back by hand to those of the authors.
"""

import argparse
import itertools
import re

import pytest
import timm
import torch
from timm.models import eva
from torch.nn.functional import interpolate
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from vitrail.core.errors import WeightsError
from vitrail.models import VisionTransformer
from vitrail.weights.load import load_weights
from vitrail.weights.start import take_over

SHAPE = {"img_size": 32, "patch_size": 8, "embed_dim": 64, "depth": 2, "num_heads": 4}
KNOWN = {"num_heads": 4}
GIANT = {"mlp_ratio": 5.25, "num_classes": 0}


def made(randomise, name, seed=0, **fields):
    return randomise(timm.create_model(name, **{**SHAPE, "num_classes": 5, **fields}), seed).eval()


def renamed(state, *pairs):
    for pattern, name in pairs:
        state = {re.sub(pattern, name, key): value for key, value in state.items()}
    return state


def deit3(model):
    return {"model": renamed(model.state_dict(), (r"ls([12])\.gamma", r"gamma_\1"))}


def mae(model):
    decoder = {
        "mask_token": torch.ones(1, 1, 48), "decoder_pos_embed": torch.ones(1, 17, 48),
        "decoder_embed.weight": torch.ones(48, 64), "decoder_embed.bias": torch.ones(48),
        "decoder_blocks.0.attn.qkv.weight": torch.ones(144, 48), "decoder_norm.weight": torch.ones(48),
        "decoder_pred.bias": torch.ones(192),
    }  # fmt: skip
    return {"model": {**model.state_dict(), **decoder}}


def dino_training(model):
    heads = {"head.mlp.0.weight": torch.ones(8, 64), "head.last_layer.weight_g": torch.ones(9)}
    teacher = {**{f"backbone.{name}": value for name, value in model.state_dict().items()}, **heads}
    student = {f"module.{name}": value + 1 for name, value in teacher.items()}
    args = argparse.Namespace(arch="vit_small", patch_size=8, lr=5e-4)
    return {"student": student, "teacher": teacher, "optimizer": {"state": {}}, "epoch": 100, "args": args}


def dinov2(model):
    mask = {"mask_token": torch.ones(1, 64)}
    return {**renamed(model.state_dict(), (r"mlp\.fc1", "mlp.w12"), (r"mlp\.fc2", "mlp.w3")), **mask}


def dinov2_training(model):
    mask, heads = {"mask_token": torch.ones(1, 64)}, {"dino_head.last_layer.weight": torch.ones(2, 4)}
    return {"teacher": {**{f"backbone.{name}": v for name, v in {**model.state_dict(), **mask}.items()}, **heads}}


def dinov2_in_chunks(model):
    """Each chunk holds one block here, under its number in the whole."""
    teacher = dinov2_training(model)["teacher"]
    return {"teacher": renamed(teacher, (r"blocks\.(\d)\.", r"blocks.\1.\1."))}


CASES = {
    "deit3": ("deit", "deit3_small_patch16_224", {}, deit3, 0),
    "mae pre-trained": ("mae", "vit_base_patch16_224", {"num_classes": 0}, mae, 7),
    "mae fine-tuned": ("deit", "vit_base_patch16_224", {"global_pool": "avg"}, lambda m: {"model": m.state_dict()}, 0),
    "dino": ("dino", "vit_small_patch16_224", {"num_classes": 0}, lambda model: model.state_dict(), 0),
    "dino training": ("dino", "vit_small_patch16_224", {"num_classes": 0}, dino_training, 2),
    "dinov2": (
        "dinov2", "vit_small_patch14_dinov2", {"num_classes": 0},
        lambda model: {**model.state_dict(), "mask_token": torch.ones(1, 64)}, 1,
    ),
    "dinov2 giant": ("dinov2", "vit_giant_patch14_dinov2", GIANT, dinov2, 1),
    "dinov2 training": ("dinov2", "vit_small_patch14_dinov2", {"num_classes": 0}, dinov2_training, 2),
    "dinov2 in chunks": ("dinov2", "vit_small_patch14_dinov2", {"num_classes": 0}, dinov2_in_chunks, 2),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_authors_file_gives_the_same(case, randomise, assert_same_logits, tmp_path):
    row, name, fields, publish, left = CASES[case]
    theirs = made(randomise, name, **fields)
    torch.save(publish(theirs), tmp_path / "weights.pth")
    loaded = load_weights(tmp_path / "weights.pth", known=KNOWN)
    assert loaded.report.format == row
    assert len(loaded.report.left) == left
    assert all("pre-training" in why for why in loaded.report.left.values())
    assert loaded.record.config.block.norm.eps == theirs.blocks[0].norm1.eps
    assert loaded.record.spec.mean == (0.485, 0.456, 0.406)
    assert_same_logits(loaded.model, theirs, (32, 32))


def dinov2_with_registers(randomise, gated):
    config = Dinov2WithRegistersConfig(
        image_size=32, patch_size=8, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, use_swiglu_ffn=gated,
        num_register_tokens=3, mlp_ratio=6 if gated else 4,
    )  # fmt: skip
    theirs = randomise(Dinov2WithRegistersModel(config)).eval()
    names = (
        (r"^embeddings\.position_embeddings", "pos_embed"), (r"^embeddings\.", ""),
        (r"patch_embeddings\.projection", "patch_embed.proj"), (r"encoder\.layer\.", "blocks."),
        (r"layer_scale([12])\.lambda1", r"ls\1.gamma"),
        (r"attention\.o_proj", "attn.proj"), (r"mlp\.down_proj", "mlp.w3"), (r"^layernorm", "norm"),
    )  # fmt: skip
    state = renamed(theirs.state_dict(), *names)
    joined = {"attn.qkv": [f"attention.{part}_proj" for part in "qkv"], "mlp.w12": ["mlp.gate_proj", "mlp.up_proj"]}
    for block, kind, name in itertools.product(("blocks.0", "blocks.1"), ("weight", "bias"), joined):
        parts = [state.pop(f"{block}.{part}.{kind}", None) for part in joined[name]]
        state |= {f"{block}.{name}.{kind}": torch.cat(parts)} if parts[0] is not None else {}
    return theirs, state


@pytest.mark.parametrize("gated", [False, True], ids=["small", "giant"])
@pytest.mark.parametrize("size", [(32, 32), (48, 40)], ids=str)
@torch.no_grad()
def test_dinov2_with_registers(size, gated, randomise, tmp_path):
    theirs, state = dinov2_with_registers(randomise, gated)
    assert state["pos_embed"].shape == (1, 17, 64)
    torch.save(state, tmp_path / "weights.pth")
    loaded = load_weights(tmp_path / "weights.pth", known=KNOWN)
    assert loaded.record.config.position.covers == "class"
    assert loaded.record.config.position.resize == "dinov2_registers"
    images = torch.randn(2, 3, *size)
    expected = theirs(images).last_hidden_state
    got = loaded.model.forward_features(images)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def carried(state, scale, **how):
    """Write out what the authors' code does to a square table of 4 × 4 behind the class token's."""
    grid = state["pos_embed"][:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    grid = interpolate(grid, mode="bicubic", **(how or {"scale_factor": scale})).permute(0, 2, 3, 1).flatten(1, 2)
    return {**state, "pos_embed": torch.cat([state["pos_embed"][:, :1], grid], dim=1)}


RESIZED = {
    "mae fine-tuned": (6, lambda state: carried(state, None, size=(6, 6), align_corners=False)),
    "dino": (6, lambda state: carried(state, (6.1 / 4, 6.1 / 4))),
    "dinov2": (6, lambda state: carried(state, (6.1 / 4, 6.1 / 4))),
    "dinov2 giant": (3, lambda state: carried(state, (3.1 / 4, 3.1 / 4))),
}


@pytest.mark.parametrize("case", RESIZED)
def test_another_size_is_by_the_authors_rule(case, randomise, assert_same_logits, tmp_path):
    _, name, fields, publish, _ = CASES[case]
    side, resize = RESIZED[case]
    small = made(randomise, name, **fields)
    torch.save(publish(small), tmp_path / "weights.pth")
    theirs = made(randomise, name, **{**fields, "img_size": 8 * side})
    theirs.load_state_dict(resize(small.state_dict()))
    loaded = load_weights(tmp_path / "weights.pth", known=KNOWN)
    ours = VisionTransformer(loaded.record.config.updated(img_size=8 * side))
    ours.load_state_dict(take_over(ours, loaded.model, same_classes=True).state)
    assert_same_logits(ours, theirs, (8 * side, 8 * side))
    if loaded.record.config.tokens.dynamic:
        assert_same_logits(loaded.model, theirs, (8 * side, 8 * side))


def dinov3(model, gated):
    """Put names back, and give keys a bias that a mask takes away."""
    state = renamed(
        model.state_dict(), (r"gamma_([12])", r"ls\1.gamma"), (r"reg_token", "storage_tokens"),
        (r"mlp\.fc1_g", "mlp.w1"), (r"mlp\.fc1_x", "mlp.w2"), *([(r"mlp\.fc2", "mlp.w3")] if gated else []),
    )  # fmt: skip
    for index in range(2):
        queries, values = (state.pop(f"blocks.{index}.attn.{part}_bias") for part in "qv")
        state[f"blocks.{index}.attn.qkv.bias"] = torch.cat([queries, torch.randn(64), values])
        state[f"blocks.{index}.attn.qkv.bias_mask"] = torch.tensor([1.0, 0, 1]).repeat_interleave(64)
    return {**state, "mask_token": torch.ones(1, 64), "rope_embed.periods": 100 ** (torch.arange(4) / 4)}


@pytest.mark.parametrize("gated", [False, True], ids=["small", "small plus"])
@pytest.mark.parametrize("size", [(32, 32), (24, 40)], ids=str)
def test_dinov3(size, gated, randomise, assert_same_logits, tmp_path):
    name = "vit_small_plus_patch16_dinov3_qkvb" if gated else "vit_small_patch16_dinov3_qkvb"
    theirs = made(randomise, name, num_classes=0, global_pool="token")
    state = dinov3(theirs, gated)
    torch.save(state, tmp_path / "weights.pth")
    again = made(randomise, name, seed=2, num_classes=0, global_pool="token")
    again.load_state_dict(eva.checkpoint_filter_fn(dict(state), again))
    loaded = load_weights(tmp_path / "weights.pth", known=KNOWN)
    assert loaded.report.format == "dinov3"
    assert len(loaded.report.left) == 4
    assert loaded.record.spec.size == (256, 256)
    assert loaded.record.config.block.norm.eps == theirs.blocks[0].norm1.eps
    assert_same_logits(loaded.model, theirs, size)
    assert_same_logits(loaded.model, again, size)


def test_dinov3_of_another_temperature_is_refused(randomise, tmp_path):
    theirs = made(randomise, "vit_small_patch16_dinov3_qkvb", num_classes=0)
    state = {**dinov3(theirs, False), "rope_embed.periods": 1000 ** (torch.arange(4) / 4)}
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="not those of temperature 100"):
        load_weights(tmp_path / "weights.pth", known=KNOWN)


def test_what_is_neither_body_nor_of_pre_training_is_an_error(randomise, tmp_path):
    state = dino_training(made(randomise, "vit_small_patch16_224", num_classes=0))
    state["teacher"]["backbone.adapter.weight"] = torch.ones(2)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="does not explain: adapter"):
        load_weights(tmp_path / "weights.pth", known=KNOWN)
