"""The model against the paper's equations 1 to 4, written out as naively as they are printed."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vitrail.models import VisionTransformer, ViTConfig


def layer_norm(x, weight, bias, eps=1e-6):
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return (x - mean) / torch.sqrt(variance + eps) * weight + bias


def attend(z, p, heads, scale):
    """Appendix A, equations 5 to 8, one image and one head at a time."""
    dim = z.shape[-1]
    width = dim // heads
    scale = 1 / math.sqrt(width) if scale is None else scale
    u_qkv = p["attn.qkv.weight"].T
    bias = p.get("attn.qkv.bias", torch.zeros(3 * dim, dtype=z.dtype))
    images = []
    for image in z:
        qkv = image @ u_qkv + bias
        parts = []
        for head in range(heads):
            first = head * width
            q, k, v = (qkv[:, part * dim + first : part * dim + first + width] for part in range(3))
            scores = torch.exp(scale * q @ k.T)
            parts.append(scores / scores.sum(dim=1, keepdim=True) @ v)
        images.append(torch.cat(parts, dim=1) @ p["attn.proj.weight"].T + p["attn.proj.bias"])
    return torch.stack(images)


def mlp(z, p):
    hidden = z @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return hidden @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


def encode(x, p, config):
    """Equations 1 to 3."""
    size, (rows, columns), batch = config.patch_size, config.grid, len(x)
    patches = torch.stack(
        [
            x[:, :, row * size : (row + 1) * size, column * size : (column + 1) * size].reshape(batch, -1)
            for row in range(rows)
            for column in range(columns)
        ],
        dim=1,
    )
    kernel = p["patch_embed.proj.weight"]
    tokens = patches @ kernel.reshape(len(kernel), -1).T + p["patch_embed.proj.bias"]
    before = [p[name].expand(batch, 1, -1) for name in ("cls_token", "dist_token") if name in p]
    z = torch.cat([*before, tokens], dim=1)
    z = z + p["pos_embed"] if "pos_embed" in p else z
    for index in range(config.depth):
        start = f"blocks.{index}."
        block = {name.removeprefix(start): value for name, value in p.items() if name.startswith(start)}
        normed = layer_norm(z, block["norm1.weight"], block["norm1.bias"])
        z = z + attend(normed, block, config.block.num_heads, config.block.qk_scale)
        z = z + mlp(layer_norm(z, block["norm2.weight"], block["norm2.bias"]), block)
    return z


def oracle(x, p, config):
    """Equation 4 and the head, or both heads."""
    z = encode(x, p, config)
    prefix = sum(name in p for name in ("cls_token", "dist_token"))
    if config.pool.kind == "class_token":
        y = layer_norm(z, p["norm.weight"], p["norm.bias"])[:, 0]
    elif config.pool.norm_after:
        y = layer_norm(z[:, prefix:].mean(dim=1), p["fc_norm.weight"], p["fc_norm.bias"])
    else:
        y = layer_norm(z, p["norm.weight"], p["norm.bias"])[:, prefix:].mean(dim=1)
    if "pre_logits.fc.weight" in p:
        y = torch.tanh(y @ p["pre_logits.fc.weight"].T + p["pre_logits.fc.bias"])
    heads = [y]
    if "dist_token" in p:
        heads.append(layer_norm(z, p["norm.weight"], p["norm.bias"])[:, 1])
    if config.num_classes:
        names = ("head", "head_dist")[: len(heads)]
        heads = [h @ p[f"{n}.weight"].T + p[f"{n}.bias"] for h, n in zip(heads, names, strict=True)]
    return heads


@st.composite
def configs(draw):
    heads = draw(st.integers(1, 4))
    size = draw(st.integers(2, 32))
    class_token = draw(st.booleans())
    distilled = class_token and draw(st.booleans())
    mean = {"kind": "mean", "norm_after": draw(st.booleans())}
    fields = {
        "patch_size": size,
        "img_size": (draw(st.integers(1, 4)) * size, draw(st.integers(1, 4)) * size),
        "in_chans": draw(st.integers(1, 5)),
        "num_heads": heads,
        "embed_dim": heads * draw(st.sampled_from([8, 9, 16])),
        "depth": draw(st.integers(1, 2)),
        "mlp_ratio": draw(st.sampled_from([0.5, 1.0, 4.0])),
        "qkv_bias": draw(st.booleans()),
        "qk_scale": draw(st.none() | st.floats(0.05, 1)),
        "num_classes": draw(st.integers(0, 7)),
        "representation_size": None if distilled else draw(st.none() | st.integers(1, 20)),
        "class_token": class_token,
        "distilled": distilled,
        "position": draw(st.sampled_from(["learned_1d", "none"])),
        "pool": draw(st.sampled_from(["class_token", mean])) if class_token and not distilled else mean,
    }
    return ViTConfig.of(**{**fields, "pool": "class_token"} if distilled else fields)


def check_against_oracle(config, randomise, images_for, batch=2):
    model = randomise(VisionTransformer(config)).eval()
    images = images_for(model, batch).double()
    expected = oracle(images, {name: value.double() for name, value in model.state_dict().items()}, config)
    mean = sum(expected) / len(expected)
    scale = max(1.0, mean.abs().max().item())
    with torch.no_grad():
        single = model(images.float())
        double = model.double()(images)
        both = model.train()(images)
    assert double.shape == mean.shape == (batch, config.num_classes or config.representation_size or config.embed_dim)
    assert (double - mean).abs().max().item() <= 1e-12 * scale
    assert (single.double() - mean).abs().max().item() <= 1e-5 * scale
    for got, wanted in zip(both if config.tokens.distilled else [both], expected, strict=True):
        assert (got - wanted).abs().max().item() <= 1e-12 * scale


@settings(max_examples=60, deadline=None)
@given(config=configs())
def test_any_model(config, randomise, images_for):
    check_against_oracle(config, randomise, images_for)


BASE = {"img_size": (24, 16), "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 4, "num_classes": 6}
CASES = {
    "as in the paper": {},
    "qk_scale": {"qk_scale": 0.2},
    "no qkv bias": {"qkv_bias": False},
    "representation layer": {"representation_size": 10},
    "representation layer as wide as a token": {"has_logits": True},
    "features": {"num_classes": 0},
    "features after a representation layer": {"num_classes": 0, "representation_size": 9},
    "distilled": {"distilled": True},
    "distilled features": {"distilled": True, "num_classes": 0},
    "no position": {"position": "none"},
    "mean": {"pool": "mean"},
    "mean without class token": {"pool": "mean", "class_token": False},
    "mean, norm before": {"pool": {"kind": "mean", "norm_after": False}},
    "one channel": {"in_chans": 1},
    "thirteen channels": {"in_chans": 13},
    "one head": {"num_heads": 1},
    "one patch": {"img_size": 8},
    "a row of patches": {"img_size": (8, 40)},
    "no block": {"depth": 0},
} | {f"patch {size}": {"patch_size": size, "img_size": (size, 2 * size)} for size in (2, 3, 7, 14, 16, 32)}


@pytest.mark.parametrize("case", CASES)
def test_each_thing_by_itself(case, randomise, images_for):
    check_against_oracle(ViTConfig.of(**{**BASE, **CASES[case]}), randomise, images_for, batch=3)


def test_vit_tiny_at_its_own_size(randomise, images_for):
    check_against_oracle(ViTConfig.of(embed_dim=192, num_heads=3, depth=2), randomise, images_for)
