"""Tiny models with every parameter drawn at random."""

import pytest
import torch
from torch import nn

from vitrail.models import VisionTransformer, ViTConfig

TINY = {
    "img_size": (8, 12), "patch_size": 4, "in_chans": 3, "embed_dim": 16, "depth": 2, "num_heads": 4, "num_classes": 5,
}  # fmt: skip


SMALL_STEMS = {"resnet": {"kind": "resnet", "layers": (1,), "width": 8, "groups": 4}}
"""Stems that are too large, in their default form, for a tiny model."""


@torch.no_grad()
def randomise(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and running statistic anew, so that activations stay of order one and nothing is zero."""
    generator = torch.Generator().manual_seed(seed)

    def draw(tensor: torch.Tensor, mean: float, deviation: float) -> None:
        tensor.copy_(mean + deviation * torch.randn(tensor.shape, generator=generator))

    for name, parameter in model.named_parameters():
        if parameter.ndim in (2, 4):
            draw(parameter, 0, parameter[0].numel() ** -0.5)
        elif parameter.ndim == 1:
            draw(parameter, float(name.endswith("weight")), 0.2)
        else:
            draw(parameter, 0, 0.5)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            draw(buffer, 0, 0.2)
        elif name.endswith("running_var"):
            buffer.copy_(0.5 + torch.rand(buffer.shape, generator=generator))
    return model


def tiny(**fields: object) -> VisionTransformer:
    """Build a tiny model, every parameter drawn at random."""
    fields = {**TINY, **fields, "stem": SMALL_STEMS.get(str(fields.get("stem")), fields.get("stem", "patch"))}
    model = randomise(VisionTransformer(ViTConfig.of(**fields)))
    assert isinstance(model, VisionTransformer)
    return model


def images_for(model: VisionTransformer, batch: int = 2, seed: int = 1) -> torch.Tensor:
    """Draw images of the size that a model takes, of its own type of number."""
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, model.config.in_chans, *model.config.image_size)
    return torch.randn(shape, generator=generator).to(next(model.parameters()).dtype)


@pytest.fixture(scope="session", name="randomise")
def randomise_fixture():
    return randomise


@pytest.fixture(scope="session", name="tiny")
def tiny_fixture():
    return tiny


@pytest.fixture(scope="session", name="images_for")
def images_for_fixture():
    return images_for
