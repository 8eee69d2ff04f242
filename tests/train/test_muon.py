"""Muon against its polynomial on singular values, against torch's own, and beside AdamW."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from vitrail.models import VisionTransformer, ViTConfig
from vitrail.train.muon import COEFFICIENTS, ITERATIONS, Muon, orthogonalise
from vitrail.train.optimizer import build_optimizer
from vitrail.train.recipe import OptimizerConfig

SHAPES = [(1, 5, 5), (3, 8, 20), (2, 20, 8), (1, 1, 7)]


def by_singular_values(matrix: Tensor) -> Tensor:
    """Apply the quintic to the singular values of one matrix, in float64."""
    u, s, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.square().sum().sqrt()
    a, b, c = COEFFICIENTS
    for _ in range(ITERATIONS):
        s = a * s + b * s**3 + c * s**5
    return u @ torch.diag(s) @ vh


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_orthogonalising_is_the_quintic_on_singular_values(shape: tuple[int, int, int]) -> None:
    matrices = 30 * torch.randn(shape)
    found = orthogonalise(matrices)
    assert found.shape == matrices.shape and found.dtype == matrices.dtype
    for one, expected in zip(found, map(by_singular_values, matrices), strict=True):
        assert torch.allclose(one.double(), expected, atol=1e-4)


def test_singular_values_come_out_near_one() -> None:
    values = torch.linalg.svdvals(orthogonalise(torch.randn(4, 32, 64)))
    assert values.min() > 0.6 and values.max() < 1.3


def test_a_gradient_of_zeros_moves_nothing_but_by_decay() -> None:
    assert torch.equal(orthogonalise(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))


@pytest.mark.parametrize("rows", [12, 48])
def test_steps_equal_torchs_own(rows: int) -> None:
    """Torch iterates in bfloat16, so updates agree to its precision: 2⁻⁸ of their size, a few times over."""
    ours, theirs = (nn.Parameter(torch.ones(rows, 24)) for _ in range(2))
    settings: dict[str, Any] = {"lr": 0.02, "weight_decay": 0.1}
    mine = Muon([{"params": [ours], "muon": True}], momentum=0.9, **settings)
    peer = torch.optim.Muon([theirs], momentum=0.9, adjust_lr_fn="match_rms_adamw", **settings)
    for step in range(5):
        gradient = torch.randn(rows, 24, generator=torch.Generator().manual_seed(step))
        for parameter, optimizer in ((ours, mine), (theirs, peer)):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs.detach() - 1).norm()
    assert moved > 0.2
    assert (ours - theirs).norm() < 0.03 * moved


def test_a_kernel_counts_as_a_matrix_and_equal_shapes_do_not_mix() -> None:
    kernels = [nn.Parameter(torch.zeros(6, 4, 3, 3)) for _ in range(2)]
    gradients = [torch.randn(6, 4, 3, 3) for _ in kernels]
    for kernel, gradient in zip(kernels, gradients, strict=True):
        kernel.grad = gradient
    Muon([{"params": kernels, "muon": True}], momentum=0.0, lr=1.0, weight_decay=0.0).step()
    for kernel, gradient in zip(kernels, gradients, strict=True):
        expected = -0.2 * math.sqrt(36) * by_singular_values(gradient.reshape(6, 36)).reshape(6, 4, 3, 3)
        assert torch.allclose(kernel.double(), expected, atol=1e-3)
        assert kernel.grad is gradient, "gradients stay, as after any optimizer's step"


def test_other_groups_are_moved_by_adamw_alone() -> None:
    def step(make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer]) -> Tensor:
        bias, matrix = nn.Parameter(torch.ones(5)), nn.Parameter(torch.ones(5, 5))
        optimizer = make([{"params": [bias]}, {"params": [matrix], "muon": True}])
        bias.grad, matrix.grad = torch.arange(5.0), torch.eye(5)
        optimizer.step()
        return bias.detach()

    ours = step(lambda groups: Muon(groups, lr=0.1))
    theirs = step(lambda groups: torch.optim.AdamW([{"params": groups[0]["params"]}], lr=0.1))
    assert torch.equal(ours, theirs)


def test_hidden_matrices_and_no_others_are_moved_by_muon() -> None:
    fields = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2, "stem": "conv"}
    model = VisionTransformer(ViTConfig.of(**fields, representation_size=8, num_classes=3))
    optimizer = build_optimizer(model, OptimizerConfig(kind="muon", lr=0.01, muon_scale=2.0))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    by_muon = {names[id(one)] for group in optimizer.param_groups if group["muon"] for one in group["params"]}
    blocks = {f"blocks.0.{name}.weight" for name in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")}
    assert by_muon == blocks | {"stem.conv1.weight", "stem.conv2.weight"}
    assert {group["lr_scale"] for group in optimizer.param_groups if group["muon"]} == {2.0}
    assert not any(group["muon"] for group in build_optimizer(model, OptimizerConfig()).param_groups)
