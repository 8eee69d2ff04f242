"""The engine on PyTorch: the model's own numbers, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.engines.build import ENGINES, build_engine
from vitrail.engines.torch_engine import TorchEngine
from vitrail.models import VisionTransformer, ViTConfig

TINY: dict[str, Any] = {
    "img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 3, "init": "post",
}  # fmt: skip


def build(**fields: Any) -> VisionTransformer:
    torch.manual_seed(0)
    return VisionTransformer(ViTConfig.of(**TINY | fields))


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "fields", [{}, {"distilled": True}, {"stem": "conv"}, {"num_classes": 0}, {"drop_rate": 0.5, "drop_path_rate": 0.5}]
)
def test_an_engine_is_the_model_in_evaluation(name: str, fields: dict[str, Any]) -> None:
    model = build(**fields)
    engine = build_engine(name, model)
    images = torch.randn(5, 3, 8, 8)
    out = engine(images)
    with torch.no_grad():
        expected = build(**fields).eval()(images)

    assert torch.equal(out, expected) and out.abs().max() > 0
    assert out.dtype == torch.float32 and out.device.type == "cpu" and not out.requires_grad
    assert out.numpy().shape == (5, fields.get("num_classes", 3) or 16)
    assert torch.equal(engine(images), out), "the same again: nothing is drawn"


def test_the_model_can_go_on_learning() -> None:
    """Validation runs on the model that is being trained."""
    model = build(stem="conv", drop_rate=0.1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    TorchEngine(model)(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1)))

    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad and not parameter.is_inference() for parameter in model.parameters())
    model.train()(torch.randn(2, 3, 8, 8)).sum().backward()
    assert model.head.weight.grad is not None
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def test_other_number_formats_come_out_as_float32() -> None:
    engine = TorchEngine(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)).bfloat16())
    assert engine(torch.ones(1, 3, 2, 2).bfloat16()).dtype == torch.float32


def test_an_unknown_engine() -> None:
    with pytest.raises(ConfigError, match="unknown engine 'torhc'") as caught:
        build_engine("torhc", build())
    assert "did you mean torch" in caught.value.hint
