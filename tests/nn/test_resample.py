"""Tables carried to another grid: the numbers of each rule's owner, and the identities of interpolation."""

import numpy as np
import pytest
import torch
from scipy.ndimage import zoom
from timm.layers import resample_abs_pos_embed
from torch.nn.functional import interpolate
from torchvision.models.vision_transformer import interpolate_embeddings
from transformers import (
    BeitConfig,
    CLIPVisionConfig,
    DeiTConfig,
    Dinov2Config,
    Dinov2WithRegistersConfig,
    SiglipVisionConfig,
    ViTConfig,
    ViTMAEConfig,
)  # fmt: skip
from transformers.models.beit.modeling_beit import BeitEmbeddings
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings
from transformers.models.deit.modeling_deit import DeiTEmbeddings
from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings
from transformers.models.dinov2_with_registers.modeling_dinov2_with_registers import Dinov2WithRegistersEmbeddings
from transformers.models.siglip.modeling_siglip import SiglipVisionEmbeddings
from transformers.models.siglip2.modeling_siglip2 import Siglip2VisionEmbeddings
from transformers.models.vit.modeling_vit import ViTEmbeddings
from transformers.models.vit_mae.modeling_vit_mae import ViTMAEEmbeddings

from vitrail.core.errors import ConfigError
from vitrail.nn.position import Learned1dConfig, Learned2dConfig
from vitrail.nn.position.resample import RULES, resample

DIM = 8
OLD = pytest.mark.parametrize("old", [(4, 6), (4, 4), (5, 1), (1, 5)], ids="from {}".format)
NEW = pytest.mark.parametrize("new", [(8, 12), (3, 3), (2, 9), (5, 4), (4, 1), (1, 7), (1, 1)], ids="to {}".format)


def picture(table):
    return table.permute(2, 0, 1)[None]


def table_of(picture):
    return picture[0].permute(1, 2, 0)


def by_timm(table, new, **choices):
    old = list(table.shape[:2])
    flat = resample_abs_pos_embed(table.reshape(1, -1, DIM), list(new), old, num_prefix_tokens=0, **choices)
    return flat.reshape(*new, DIM)


def by_zoom(table, new):
    """Do as vit_jax and big_vision do."""
    factors = (new[0] / table.shape[0], new[1] / table.shape[1], 1)
    return torch.from_numpy(zoom(table.numpy(), factors, order=1))


def by_siglip2(table, new):
    shapes = torch.tensor([new])
    return Siglip2VisionEmbeddings.resize_positional_embeddings(table, shapes, new[0] * new[1])[0].reshape(*new, DIM)


def by_dinov2(table, new, offset=0.1, antialias=False):
    """Do as the authors' interpolate_pos_encoding does, on grids that need not be square."""
    if offset:
        scales = tuple((side + offset) / was for side, was in zip(new, table.shape[:2], strict=True))
        size = {"scale_factor": scales}
    else:
        size = {"size": new}
    return table_of(interpolate(picture(table), mode="bicubic", antialias=antialias, **size))


def plain_bicubic(table, new):
    """Do as deit's and mae's interpolation of a checkpoint does."""
    return table_of(interpolate(picture(table), size=new, mode="bicubic", align_corners=False))


def by_jax_image(table, new):
    """Do as jax.image.resize does with "linear": a triangle over the new places, widened where there are fewer."""
    for axis, size in enumerate(new):
        old = table.shape[axis]
        width = max(1.0, old / size)
        centres = (np.arange(size) + 0.5) * old / size - 0.5
        weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(old)) / width)
        weights = torch.tensor(weights / weights.sum(axis=1, keepdims=True), dtype=table.dtype)
        table = torch.tensordot(weights, table, dims=([1], [axis])).movedim(0, axis)
    return table


OWNERS = {
    "timm": by_timm,
    "timm_npz": lambda table, new: by_timm(table, new, interpolation="bilinear", antialias=False),
    "google": by_zoom,
    "flexivit": by_jax_image,
    "siglip2": by_siglip2,
    "transformers": plain_bicubic,
    "deit": plain_bicubic,
    "mae": plain_bicubic,
    "dino": by_dinov2,
    "dinov2": by_dinov2,
    "dinov2_registers": lambda table, new: by_dinov2(table, new, offset=0, antialias=True),
    "torchvision": lambda table, new: table_of(
        interpolate(picture(table), size=new, mode="bicubic", align_corners=True)
    ),
    "open_clip": lambda table, new: by_timm(table, new, interpolation="bicubic", antialias=True, align_corners=False),
}


def by_owner(rule, table, new):
    """Go round what torch 2.15 does wrong, with antialiasing: images one pixel wide, before or after."""
    if not RULES[rule].antialias:
        return OWNERS[rule](table, new)
    rows, columns = (3 if side == 1 else 1 for side in table.shape[:2])
    table = table.repeat_interleave(rows, dim=0).repeat_interleave(columns, dim=1)
    if new[1] > 1:
        return OWNERS[rule](table, new)
    return OWNERS[rule](table.transpose(0, 1), new[::-1]).transpose(0, 1)


@OLD
@NEW
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_is_its_owners(rule, old, new):
    """By code that is installed, or by what the published code says, written out above."""
    table = torch.randn(*old, DIM, dtype=torch.float64 if rule == "google" else torch.float32)
    expected = by_owner(rule, table, new)
    got = resample(table, new, rule)
    assert got.shape == (*new, DIM)
    torch.testing.assert_close(got, expected, rtol=0, atol=3e-6)


def test_the_rules_differ():
    table = torch.randn(6, 6, DIM)
    sets = [
        {"timm", "dinov2_registers", "open_clip"}, {"transformers", "deit", "mae"}, {"dino", "dinov2"},
        {"flexivit", "siglip2"}, {"torchvision"}, {"google"}, {"timm_npz"},
    ]  # fmt: skip
    assert sorted(set().union(*sets)) == sorted(RULES)
    done = [[resample(table, (4, 4), rule) for rule in sorted(names)] for names in sets]
    for index, same in enumerate(done):
        assert all(torch.equal(one, same[0]) for one in same)
        assert all((same[0] - other[0]).abs().max() > 0.01 for other in done[:index])


def embeddings(kind, config, **fields):
    module = kind(config(hidden_size=DIM, num_attention_heads=2, image_size=20, patch_size=4, **fields)).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return module


TRANSFORMERS = {
    "vit": (ViTEmbeddings, ViTConfig, 1, "transformers"),
    "deit": (DeiTEmbeddings, DeiTConfig, 2, "transformers"),
    "dinov2": (Dinov2Embeddings, Dinov2Config, 1, "transformers"),
    "dinov2 with registers": (Dinov2WithRegistersEmbeddings, Dinov2WithRegistersConfig, 1, "dinov2_registers"),
    "clip": (CLIPVisionEmbeddings, CLIPVisionConfig, 1, "transformers"),
    "siglip": (SiglipVisionEmbeddings, SiglipVisionConfig, 0, "transformers"),
    "mae": (ViTMAEEmbeddings, ViTMAEConfig, 1, "transformers"),
    "beit": (BeitEmbeddings, BeitConfig, 1, "transformers"),
}


@pytest.mark.parametrize("new", [(10, 10), (3, 3), (4, 8), (1, 2)], ids="to {}".format)
@pytest.mark.parametrize("model", TRANSFORMERS)
@torch.no_grad()
def test_it_is_what_each_model_of_transformers_does(model, new):
    kind, config, prefix, rule = TRANSFORMERS[model]
    more = {"use_absolute_position_embeddings": True} if model == "beit" else {}
    theirs = embeddings(kind, config, **more)
    whole = theirs.position_embedding.weight[None] if model in ("clip", "siglip") else theirs.position_embeddings
    tokens = torch.zeros(1, prefix + new[0] * new[1], DIM)
    expected = theirs.interpolate_pos_encoding(tokens, 4 * new[0], 4 * new[1])
    got = resample(whole[0, prefix:].reshape(5, 5, DIM), new, rule).flatten(0, 1)
    torch.testing.assert_close(got, expected[0, prefix:], rtol=0, atol=3e-6)
    assert torch.equal(whole[0, :prefix], expected[0, :prefix]), "no rule touches the tokens before the patches"


@pytest.mark.parametrize("side", [8, 3, 1])
def test_it_is_torchvisions(side):
    whole = torch.randn(1, 17, DIM)
    expected = interpolate_embeddings(4 * side, 4, {"encoder.pos_embedding": whole})["encoder.pos_embedding"]
    got = resample(whole[0, 1:].reshape(4, 4, DIM), (side, side), "torchvision").flatten(0, 1)
    torch.testing.assert_close(got, expected[0, 1:], rtol=0, atol=1e-6)


def test_googles_rule_keeps_a_ramp_exactly_and_timms_does_not():
    def ramp(rows, columns):
        return torch.linspace(0, 1, rows)[:, None, None] + torch.linspace(0, 2, columns)[None, :, None]

    torch.testing.assert_close(resample(ramp(4, 6), (9, 3), "google"), ramp(9, 3), rtol=0, atol=1e-6)
    assert (resample(ramp(4, 6), (9, 3), "timm") - ramp(9, 3)).abs().max() > 0.01


@pytest.mark.parametrize("rule", RULES)
def test_the_same_grid_is_the_same_table(rule):
    table = torch.randn(4, 6, 8)
    assert resample(table, (4, 6), rule) is table


@NEW
@pytest.mark.parametrize("rule", RULES)
def test_a_constant_stays_and_so_does_the_type_of_number(rule, new):
    for dtype, tolerance in ((torch.float32, 1e-6), (torch.float64, 1e-12), (torch.bfloat16, 0)):
        table = torch.full((4, 6, 2), 0.75, dtype=dtype)
        got = resample(table, new, rule)
        assert got.dtype == dtype
        torch.testing.assert_close(got, torch.full((*new, 2), 0.75, dtype=dtype), rtol=0, atol=tolerance)


@pytest.mark.parametrize("rule", RULES)
def test_half_precision_is_rounded_once_at_the_end(rule):
    table = torch.randn(4, 6, 8).bfloat16()
    assert torch.equal(resample(table, (7, 5), rule), resample(table.float(), (7, 5), rule).bfloat16())


@pytest.mark.parametrize("rule", RULES)
def test_gradients_flow(rule):
    table = torch.randn(2, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda table: resample(table, (3, 2), rule), table)


@pytest.mark.parametrize("config", [Learned1dConfig, Learned2dConfig])
def test_an_unknown_rule_is_refused_with_the_nearest(config):
    with pytest.raises(ConfigError, match=r"position.resize = 'dino2' is not allowed; allowed: timm, ") as caught:
        config(resize="dino2")
    assert "did you mean" in caught.value.hint
    assert "dinov2" in caught.value.hint
    with pytest.raises(ConfigError, match="unknown resize rule 'dino2'"):
        resample(torch.zeros(2, 2, 1), (3, 3), "dino2")
