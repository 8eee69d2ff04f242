"""The catalogue says what timm says; each of its models, as timm keeps it on the Hub, is read and answers the same."""

from __future__ import annotations

import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models import get_pretrained_cfg
from timm.models._hub import save_config_for_hf

from vitrail.data.spec import IMAGENET_MEAN, IMAGENET_STD
from vitrail.weights.catalogue import PRETRAINED
from vitrail.weights.load import load_weights

OF_TIMM = [name for name, row in PRETRAINED.items() if row.repo == f"timm/{name}"]
SMALL = 25_000_000
ARCHITECTURES = {PRETRAINED[name].architecture: name for name in OF_TIMM}
"""Architecture → one of its rows."""


OF_FACEBOOK = {
    "dinov2_small": (384, 6, 12), "dinov2_base": (768, 12, 12), "dinov2_large": (1024, 16, 24),
    "dinov2_giant": (1536, 24, 40), "dinov2_small_reg4": (384, 6, 12), "dinov2_base_reg4": (768, 12, 12),
    "dinov2_large_reg4": (1024, 16, 24), "dinov2_giant_reg4": (1536, 24, 40), "dinov3_small": (384, 6, 12),
    "dinov3_small_plus": (384, 6, 12), "dinov3_base": (768, 12, 12), "dinov3_large": (1024, 16, 24),
    "dinov3_huge_plus": (1280, 20, 32), "dinov3_7b": (4096, 32, 40),
}  # fmt: skip
"""Name → width, heads, blocks."""
GATED = ("dinov2_giant", "dinov2_giant_reg4", "dinov3_small_plus", "dinov3_huge_plus", "dinov3_7b")


def facebook(name, **fields):
    """Build facebook's model as transformers' conversions do, and give it with its processor."""
    width, heads, depth = OF_FACEBOOK[name]
    shape = {"hidden_size": width, "num_attention_heads": heads, "num_hidden_layers": depth, **fields}
    if name.startswith("dinov3"):
        largest = name == "dinov3_7b"
        shape |= {
            "intermediate_size": (2 if largest else 4) * width,
            "query_bias": not largest,
            "value_bias": not largest,
        }
        shape |= {"use_gated_mlp": True, "hidden_act": "silu"} if name in GATED else {}
        config = transformers.DINOv3ViTConfig(**shape, num_register_tokens=4)
        processor = transformers.DINOv3ViTImageProcessor(size={"height": 224, "width": 224}, resample=2)
        return transformers.DINOv3ViTModel(config), processor
    family = "Dinov2WithRegisters" if name.endswith("_reg4") else "Dinov2"
    shape |= {"image_size": 518, "patch_size": 14, "use_swiglu_ffn": name in GATED}
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": 256}, resample=3, image_mean=IMAGENET_MEAN, image_std=IMAGENET_STD
    )
    return getattr(transformers, f"{family}Model")(getattr(transformers, f"{family}Config")(**shape)), processor


def sized(names):
    """Mark the larger models as slow."""
    return [pytest.param(name, marks=() if PRETRAINED[name].parameters < SMALL else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", OF_TIMM)
def test_rows_are_those_of_timm(name):
    row, theirs = PRETRAINED[name], get_pretrained_cfg(name)
    assert row.repo == theirs.hf_hub_id
    assert row.architecture == theirs.architecture
    assert row.licence == theirs.license
    assert row.classes == theirs.num_classes
    spec = row.spec
    assert (3, *spec.size) == theirs.input_size
    assert (spec.mean, spec.std) == (theirs.mean, theirs.std)
    assert (spec.interpolation, spec.crop_fraction) == (theirs.interpolation, theirs.crop_pct)
    assert spec.mode == {"center": "crop", "squash": "squash"}[theirs.crop_mode]


@pytest.mark.parametrize("name", sized(OF_TIMM))
def test_parameters_are_those_of_timm(name):
    with torch.device("meta"):
        theirs = timm.create_model(name)
    assert PRETRAINED[name].parameters == sum(value.numel() for value in theirs.parameters())


@torch.no_grad()
@pytest.mark.parametrize("name", sized(ARCHITECTURES.values()))
def test_what_timm_writes_is_read(name, tmp_path):
    row = PRETRAINED[name]
    theirs = timm.create_model(name, depth=2).eval()
    generator = torch.Generator().manual_seed(0)
    for value in theirs.parameters():
        value.normal_(0, value.shape[-1] ** -0.5, generator=generator)
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")
    save_config_for_hf(theirs, str(tmp_path / "config.json"))
    loaded = load_weights(tmp_path)
    assert loaded.record.spec == row.spec
    assert loaded.record.config.num_classes == row.classes
    image = torch.randn(1, 3, *row.spec.size, generator=generator)
    expected = theirs(image)
    assert (loaded.model(image) - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_every_row_is_held_against_its_owner():
    assert OF_FACEBOOK.keys() == PRETRAINED.keys() - set(OF_TIMM)


@pytest.mark.parametrize("name", sized(OF_FACEBOOK))
def test_parameters_are_those_of_transformers(name):
    with torch.device("meta"):
        theirs, _ = facebook(name)
    counted = sum(value.numel() for key, value in theirs.named_parameters() if "mask_token" not in key)
    assert PRETRAINED[name].parameters == counted


@torch.no_grad()
@pytest.mark.parametrize("name", sized(name for name in OF_FACEBOOK if name != "dinov3_7b"))  # a block has 200 million
def test_what_transformers_writes_is_read(name, tmp_path):
    theirs, processor = facebook(name, num_hidden_layers=1)
    generator = torch.Generator().manual_seed(0)
    for value in theirs.parameters():
        value.normal_(0, value.shape[-1] ** -0.5, generator=generator)
    theirs.eval().save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded = load_weights(tmp_path)
    assert loaded.record.spec == PRETRAINED[name].spec
    image = torch.randn(1, 3, 224, 224, generator=generator)
    expected = theirs(image).last_hidden_state
    got = loaded.model.forward_features(image)
    assert (got - expected).abs().max() <= 1e-4 * expected.abs().max()
