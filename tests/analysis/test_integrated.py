"""Integrated gradients: complete for every kind of model, and exact where the model is linear."""

import importlib.util

import pytest
import torch

from vitrail.analysis import integrated_gradients
from vitrail.core.errors import ConfigError

needs_captum = pytest.mark.skipif(importlib.util.find_spec("captum") is None, reason="the extra explain is missing")
TARGET, BLACK = torch.tensor([1, 3]), torch.full((1, 3, 1, 1), -1.5)


@needs_captum
def test_they_sum_to_what_the_logit_gained(model, images):
    if model.config.pool.per_token:
        pytest.skip("it has no class for an image")
    model, batch = model.double(), images(model).double()
    steps, near = (300, 1e-3) if model.config.stem.kind == "resnet" else (50, 1e-5)  # ReLU and max-pooling have kinks
    found = integrated_gradients(model, batch, TARGET, BLACK, steps)
    with torch.no_grad():
        gain = (model(batch) - model(torch.full_like(batch, -1.5)))[torch.arange(2), TARGET]
    torch.testing.assert_close(found.gain, gain)
    torch.testing.assert_close(found.pixels.sum(dim=(1, 2, 3)), gain, rtol=0, atol=near)
    torch.testing.assert_close(found.maps.sum(dim=(1, 2)), gain, rtol=0, atol=near)
    assert found.error.abs().max() < gain.abs().min() / 5
    assert found.maps.shape == (2, *model.config.grid)


@needs_captum
@torch.no_grad()
def test_of_a_linear_model_they_are_its_weights_times_its_pixels(make, images):
    """Patches → mean → head, no block: by hand, pixel × kernel · head ÷ patches."""
    model = make(depth=0, norm="none", pool="mean", class_token=False, position="none")
    batch = images(model)
    kernel = torch.einsum("kd,dchw->kchw", model.head.weight[TARGET], model.patch_embed.proj.weight)
    expected = (batch - BLACK) * kernel.repeat(1, 1, 2, 3) / 6
    found = integrated_gradients(model, batch, TARGET, BLACK, steps=3)
    torch.testing.assert_close(found.pixels, expected, rtol=1e-4, atol=1e-7)
    corner = expected[:, :, 4:8, 8:12].sum(dim=(1, 2, 3)).double()
    torch.testing.assert_close(found.maps[:, 1, 2], corner, rtol=1e-4, atol=1e-7)


@needs_captum
def test_images_at_once_change_nothing(make, images):
    model = make().eval()
    batch = images(model)
    few, many = (integrated_gradients(model, batch, TARGET, BLACK, 10, size).pixels for size in (1, 64))
    torch.testing.assert_close(few, many, rtol=0, atol=1e-6)


@needs_captum
def test_padded_images_keep_their_place(make):
    model = make(dynamic=True, dynamic_pad=True).eval()
    batch = torch.randn(2, 3, 10, 7)
    found = integrated_gradients(model, batch, TARGET, BLACK)
    assert found.pixels.shape == batch.shape and found.maps.shape == (2, 3, 2)
    torch.testing.assert_close(found.maps[:, 2, 1], found.pixels[:, :, 8:, 4:].sum(dim=(1, 2, 3)).double())


@needs_captum
def test_nothing_is_left_behind_in_the_model(make, images):
    model = make(drop_rate=0.5).train()
    batch = images(model)
    first = integrated_gradients(model, batch, TARGET, BLACK, steps=5).pixels
    assert torch.equal(first, integrated_gradients(model, batch, TARGET, BLACK, steps=5).pixels)
    assert not first.requires_grad and not batch.requires_grad
    assert all(module.training for module in model.modules())
    assert all(parameter.grad is None for parameter in model.parameters())


@needs_captum
def test_a_class_that_does_not_exist_is_refused(make, images):
    model = make()
    with pytest.raises(ConfigError, match="target = 5"):
        integrated_gradients(model, images(model), torch.tensor([0, 5]), BLACK)


def test_without_captum_the_error_says_how_to_get_it(make, images, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    model = make()
    with pytest.raises(ConfigError, match="needs? the package captum") as caught:
        integrated_gradients(model, images(model), TARGET, BLACK)
    assert caught.value.hint == "pip install 'vitrail[explain]', or uv sync --extra explain"
