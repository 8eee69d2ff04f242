"""Small models with every tensor drawn at random, and what their files say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vitrail.data.spec import ImageSpec
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.weights.model_file import ModelRecord, save_model

TINY = {
    "img_size": 8, "patch_size": 4, "in_chans": 3, "embed_dim": 16, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0,
    "num_classes": 3,
}  # fmt: skip

RISK = ((0.9, 3, 0), (0.4, 10, 2))

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "distilled": {"distilled": True},
    "convolutional stem": {"stem": {"kind": "conv", "widths": [8, 9], "strides": [2, 2]}, "pool": "mean"},
    "hybrid": {"stem": {"kind": "resnet", "layers": [1], "width": 4, "groups": 2, "norm_eps": 1e-6}},
    "tokenizer": {"stem": {"kind": "cct", "width": 5}},
    "plain ResNet": {
        "stem": {
            "kind": "resnet",
            "layers": [1],
            "width": 4,
            "groups": 2,
            "project": False,
            "pre_activation": True,
            "padding": "symmetric",
        },
        "depth": 0,
        "norm": "none",
        "position": "none",
        "pool": "mean",
        "class_token": False,
    },
    "not square": {"img_size": (8, 12), "position": "none", "qkv_bias": False, "qk_scale": 0.25},
    "grey": {"in_chans": 1, "representation_size": 5, "init": "post"},
    "another norm": {"norm": {"kind": "rms_norm", "eps": 1e-5}, "act": "relu", "drop_path_rate": 0.1},
    "without class token": {"class_token": False, "pool": {"kind": "mean", "norm_after": False}},
}


def _make(**fields: Any) -> tuple[VisionTransformer, ModelRecord]:
    config = ViTConfig.of(**{**TINY, **fields})
    model = VisionTransformer(config)
    generator = torch.Generator().manual_seed(1)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.1)
        else:
            value.fill_(7)
    grey = config.in_chans == 1
    spec = ImageSpec(
        config.image_size, (0.1,) * config.in_chans, (0.3,) * config.in_chans, color="L" if grey else "RGB"
    )
    training = {"seed": 3, "recipe": {"optimizer": {"lr": 1e-3, "clip": None, "betas": [0.9, 0.999]}}, "start": ""}
    data = {"reference": "a/b", "splits": {"train": 10, "val": 2}, "made_splits": ["val"]}
    return model.eval(), ModelRecord(config, ("a cat", "größer", "犬"), spec, 1.25, training, data, RISK, 1.5)


@pytest.fixture(scope="session")
def make_model() -> Callable[..., tuple[VisionTransformer, ModelRecord]]:
    """Give a function from model fields to a random model and its record."""
    return _make


@pytest.fixture(params=VARIANTS, ids=list(VARIANTS))
def variant(request: pytest.FixtureRequest) -> tuple[VisionTransformer, ModelRecord]:
    """Give one model of each kind and its record."""
    return _make(**VARIANTS[request.param])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Give the file of a small convolutional model."""
    path = tmp_path / "model.safetensors"
    save_model(path, *_make(**VARIANTS["convolutional stem"]))
    return path
