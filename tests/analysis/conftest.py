"""Tiny models with every parameter drawn at random, of every kind that changes where attention comes from."""

import pytest
import torch
from torch import nn

from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.position import POSITIONS, Position

TINY = {
    "img_size": (8, 12), "patch_size": 4, "in_chans": 3, "embed_dim": 16, "depth": 3, "num_heads": 4, "num_classes": 5,
}  # fmt: skip


class Turning(Position):
    """Turn queries and keys by an angle that grows with their place."""

    def rotate(self, q, k, grid):
        angle = torch.arange(q.shape[2], dtype=q.dtype)[:, None] * torch.ones(q.shape[3] // 2, dtype=q.dtype)
        return self._turn(q, angle), self._turn(k, angle)

    @staticmethod
    def _turn(x, angle):
        first, second = x.chunk(2, dim=-1)
        return torch.cat([first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()], -1)


class Biasing(Position):
    """Bias the scores by a learned table and by the content of the queries."""

    def __init__(self, layout):
        super().__init__(layout)
        count = layout.prefix_tokens + layout.grid[0] * layout.grid[1]
        self.bias_table = nn.Parameter(torch.zeros(layout.num_heads, count, count))

    def bias(self, q, grid):
        return self.bias_table + q.sum(dim=-1, keepdim=True)


KINDS = {
    "class token": {},
    "distilled": {"distilled": True},
    "mean of patches": {"class_token": False, "pool": "mean"},
    "mean beside a class token": {"pool": "mean"},
    "attention pooling": {"pool": "map"},
    "attention pooling without class token": {"pool": "map", "class_token": False},
    "no pooling": {"pool": "none"},
    "sequence pooling": {"pool": "seq"},
    "registers": {"registers": 2},
    "conv stem": {"stem": "conv"},
    "hybrid": {
        "stem": {"kind": "resnet", "layers": (1,), "width": 8, "groups": 4},
        "img_size": (16, 24),
        "patch_size": 8,
    },
    "square grid": {"img_size": 8},
    "one patch": {"img_size": 4},
    "no bias, own scale, one head": {"qkv_bias": False, "qk_scale": 0.37, "num_heads": 1},
    "representation": {"representation_size": 7},
    "position that turns": {"position": Turning},
    "position that biases": {"position": Biasing},
    **{f"position {kind}": {"position": kind} for kind in POSITIONS},
    "position at every layer": {"position": {"kind": "learned_2d", "at": "every_layer"}},
    "position at every layer, shared": {"position": {"kind": "learned_1d", "at": "every_layer_shared"}},
}


@torch.no_grad()
def make(**fields) -> VisionTransformer:
    """Build a tiny model, every parameter drawn at random."""
    model = VisionTransformer(ViTConfig.of(**{**TINY, **fields}))
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        width = parameter[0].numel() ** -0.5 if parameter.ndim in (2, 4) else 0.5
        parameter.copy_(width * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.fixture(params=KINDS)
def model(request):
    return make(**KINDS[request.param]).eval()


@pytest.fixture(name="make")
def make_fixture():
    return make


@pytest.fixture
def images():
    """Give the function that draws images for a model."""

    def draw(model, batch=2):
        generator = torch.Generator().manual_seed(1)
        return torch.randn(batch, model.config.in_chans, *model.config.image_size, generator=generator)

    return draw
