"""Gradients: float32 against float64, and float64 against finite differences."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.func import functional_call
from torch.nn.functional import cross_entropy

KINDS = {
    "plain": {},
    "distilled": {"distilled": True},
    "mean, conv stem": {"pool": "mean", "class_token": False, "stem": {"kind": "conv", "widths": [3, 4]}},
    "tokenizer": {"stem": {"kind": "cct", "width": 3}},
    "representation layer, no qkv bias": {"has_logits": True, "qkv_bias": False, "qk_scale": 0.3},
    "rms norm, silu, no position": {"norm": "rms_norm", "act": "silu", "position": "none"},
    "relative position": {"position": "relative"},
    "relative bias": {"position": "relative_bias"},
    "2-D position in every layer": {"position": {"kind": "learned_2d", "at": "every_layer", "prefix": True}},
}


def gradients(model, images, labels):
    model.zero_grad()
    out = model(images)
    outs = out if isinstance(out, tuple) else (out,)
    sum(cross_entropy(logits, labels) for logits in outs).backward()
    return {name: parameter.grad.double().clone() for name, parameter in model.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_float32_against_float64(kind, tiny, images_for):
    model = tiny(embed_dim=32, img_size=16, **KINDS[kind]).train()
    images, labels = images_for(model, batch=4), torch.tensor([0, 1, 4, 2])
    single = gradients(model, images, labels)
    exact = gradients(model.double(), images.double(), labels)
    for name, expected in exact.items():
        scale = expected.abs().max().item()
        assert scale > 1e-5, f"{name} has no gradient"
        assert (single[name] - expected).abs().max().item() <= 1e-5 * scale, name


@pytest.mark.parametrize("kind", KINDS)
def test_float64_against_finite_differences(kind, tiny, images_for):
    model = tiny(
        embed_dim=4, num_heads=2, depth=1, img_size=4, patch_size=2, num_classes=2, mlp_ratio=1.0, **KINDS[kind]
    )
    model = model.double().train()
    images = images_for(model).requires_grad_()
    names, values = zip(*model.named_parameters(), strict=True)

    def run(images, *values):
        return functional_call(model, dict(zip(names, values, strict=True)), (images,))

    assert gradcheck(run, (images, *values), eps=1e-6, atol=1e-7, rtol=1e-6)


def test_every_image_has_a_gradient_of_its_own(tiny, images_for):
    model = tiny()
    images = images_for(model, batch=3).requires_grad_()
    (grad,) = torch.autograd.grad(model(images)[1].sum(), images)
    assert grad[1].abs().max() > 0
    assert (grad[1] != 0).float().mean() > 0.99, "every pixel counts"
    assert grad[[0, 2]].abs().max() == 0
