"""Logits equal transformers' (its ViT and DeiT normalise with eps 1e-12)."""

import re

import pytest
import torch
from transformers import DeiTConfig, DeiTForImageClassificationWithTeacher, ViTConfig, ViTForImageClassification

from vitrail.models import create_model

KEYS = (
    (r"embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"embeddings\.cls_token", "cls_token"),
    (r"embeddings\.distillation_token", "dist_token"),
    (r"embeddings\.position_embeddings", "pos_embed"),
    (r"(?:encoder\.)?layers?\.(\d+)\.layernorm_before\.", r"blocks.\1.norm1."),
    (r"(?:encoder\.)?layers?\.(\d+)\.layernorm_after\.", r"blocks.\1.norm2."),
    (r"(?:encoder\.)?layers?\.(\d+)\.attention\.o_proj\.", r"blocks.\1.attn.proj."),
    (r"(?:encoder\.)?layers?\.(\d+)\.mlp\.fc([12])\.", r"blocks.\1.mlp.fc\2."),
    (r"layernorm\.", "norm."),
    (r"(?:cls_)?classifier\.", "head."),
    (r"distillation_classifier\.", "head_dist."),
)
QKV = re.compile(r"(?:encoder\.)?layers?\.(\d+)\.attention\.([qkv])_proj\.(weight|bias)")
NORM = {"kind": "layer_norm", "eps": 1e-12}


def translated(theirs):
    """Rename, and join queries, keys and values."""
    state, parts = {}, {}
    for name, value in theirs.state_dict().items():
        name = re.sub(r"^(vit|deit)\.", "", name)
        if match := QKV.fullmatch(name):
            layer, part, kind = match.groups()
            parts.setdefault(f"blocks.{layer}.attn.qkv.{kind}", {})[part] = value
            continue
        found = [re.sub(pattern, new, name) for pattern, new in KEYS if re.match(pattern, name)]
        assert len(found) == 1, name
        state[found[0]] = value
    return {**state, **{name: torch.cat([part[letter] for letter in "qkv"]) for name, part in parts.items()}}


def test_vit_base(build, randomise, assert_same_logits):
    config = ViTConfig(num_labels=1000, layer_norm_eps=1e-12)
    theirs = randomise(build(lambda: ViTForImageClassification(config)))
    ours = build(lambda: create_model("B/16", norm=NORM))
    ours.load_state_dict(translated(theirs), strict=True)
    assert_same_logits(ours, theirs, (224, 224))


@pytest.mark.parametrize("qkv_bias", [True, False], ids=["bias", "no bias"])
def test_a_small_one_that_is_not_square(qkv_bias, randomise, assert_same_logits):
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64, image_size=(32, 48),
        patch_size=8, num_labels=6, qkv_bias=qkv_bias, layer_norm_eps=1e-12,
    )  # fmt: skip
    ours = create_model(
        "B/16", embed_dim=32, depth=3, num_heads=4, mlp_ratio=2.0, img_size=(32, 48), patch_size=8, num_classes=6,
        qkv_bias=qkv_bias, norm=NORM,
    )  # fmt: skip
    theirs = randomise(ViTForImageClassification(config))
    ours.load_state_dict(translated(theirs), strict=True)
    assert_same_logits(ours, theirs, (32, 48))


def test_deit_distilled(randomise, assert_same_logits):
    config = DeiTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, image_size=32, patch_size=8,
        num_labels=6, layer_norm_eps=1e-12,
    )  # fmt: skip
    ours = create_model(
        "B/16", embed_dim=32, depth=2, num_heads=4, img_size=32, patch_size=8, num_classes=6, distilled=True, norm=NORM
    )
    theirs = randomise(DeiTForImageClassificationWithTeacher(config))
    ours.load_state_dict(translated(theirs), strict=True)
    assert_same_logits(ours, theirs, (32, 32))
