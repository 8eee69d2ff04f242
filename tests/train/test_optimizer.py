"""Which parameter learns how, for every row of every table; and AdamW against its equations."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.models import VisionTransformer, ViTConfig
from vitrail.nn.lora import LoraConfig, adapt
from vitrail.nn.norm import NORMS
from vitrail.nn.pooling import POOLS
from vitrail.nn.position import POSITIONS
from vitrail.nn.stem import STEMS
from vitrail.train.optimizer import (
    MATRICES_DECAY,
    ParameterPolicy,
    build_optimizer,
    hold_still,
    policies_of,
    policy_of,
    set_lr,
)
from vitrail.train.recipe import OptimizerConfig, PartsConfig

TINY: dict[str, Any] = {
    "img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 3,
}  # fmt: skip
ROWS = [
    *({"stem": kind} for kind in STEMS if kind != "resnet"),
    {"stem": {"kind": "resnet", "layers": (1,)}},
    *({"position": kind} for kind in POSITIONS),
    *({"pool": kind} for kind in POOLS),
    *({"norm": kind} for kind in NORMS),
    {"distilled": True},
    {"representation_size": 8},
    {"stem": "conv", "pool": "mean", "class_token": False, "position": "none"},
    {"num_classes": 0, "qkv_bias": False},
    {"registers": 2, "qk_norm": True, "layer_scale": 0.1, "pre_norm": True, "mlp": "swiglu"},
]


def build(**fields: Any) -> VisionTransformer:
    return VisionTransformer(ViTConfig.of(**TINY | fields))


def names_of(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, dict[str, Any]]:
    """Find the group of each parameter, by name."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(parameter)]: group for group in optimizer.param_groups for parameter in group["params"]}


@pytest.mark.parametrize("fields", ROWS, ids=lambda fields: "-".join(f"{key}={value}" for key, value in fields.items()))
def test_weight_matrices_and_kernels_decay_and_nothing_else(fields: dict[str, Any]) -> None:
    """Biases, normalisations (a batch norm's weights too), tokens and positions do not, as in the paper's code."""
    model = build(**fields)
    groups = names_of(model, build_optimizer(model, OptimizerConfig(weight_decay=0.3)))
    matrices = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)}

    assert set(groups) == {name for name, _ in model.named_parameters()}, "every parameter, each in one group"
    assert {name for name, group in groups.items() if group["weight_decay"] == 0.3} == matrices
    assert {group["weight_decay"] for name, group in groups.items() if name not in matrices} == {0}
    assert all(group["lr_scale"] == 1 for group in groups.values())
    assert sum(len(group["params"]) for group in {id(one): one for one in groups.values()}.values()) == len(groups)


@pytest.mark.parametrize(
    ("name", "decay"),
    [
        ("blocks.0.attn.qkv.weight", True), ("blocks.0.attn.qkv.bias", False), ("blocks.11.norm1.weight", False),
        ("stem.conv0.weight", True), ("stem.norm0.weight", False), ("fc_norm.weight", False), ("norm.weight", False),
        ("pre_logits.fc.weight", True), ("head_dist.weight", True), ("cls_token", False), ("pos_embed", False),
        ("patch_embed.proj.weight", True), ("head.bias", False),
    ],
)  # fmt: skip
def test_policy_by_name(name: str, decay: bool) -> None:
    policy = policy_of(name, MATRICES_DECAY)
    assert (policy.lr_scale, policy.decay) == (1.0, decay)


def test_the_first_pattern_counts_and_matches_the_whole_name() -> None:
    policies = (("head", ParameterPolicy(2.0)), (r"head\..*", ParameterPolicy(3.0)), (".*", ParameterPolicy(4.0)))
    assert policy_of("head.weight", policies).lr_scale == 3
    assert policy_of("head", policies).lr_scale == 2
    assert policy_of("a.head", policies).lr_scale == 4


def test_frozen_parameters_need_no_gradient_and_stay() -> None:
    model = build()
    policies = ((r"head\..*", ParameterPolicy()), (r".*", ParameterPolicy(lr_scale=0.0)))
    optimizer = build_optimizer(model, OptimizerConfig(lr=0.1), policies)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model(torch.randn(4, 3, 8, 8)).square().sum().backward()
    with torch.no_grad():
        model.head.bias.grad.add_(1)
    optimizer.step()

    assert {name for name, value in model.named_parameters() if value.requires_grad} == {"head.weight", "head.bias"}
    assert {name for name, value in model.named_parameters() if value.grad is not None} == {"head.weight", "head.bias"}
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert "head.bias" in changed and changed <= {"head.weight", "head.bias"}

    build_optimizer(model, OptimizerConfig())
    assert all(parameter.requires_grad for parameter in model.parameters()), "thawed again"


def test_what_is_not_covered_is_refused() -> None:
    with pytest.raises(ConfigError, match="no policy covers the parameter 'cls_token'") as caught:
        build_optimizer(build(), OptimizerConfig(), ((r".*\.(weight|bias)", ParameterPolicy()),))
    assert ".*" in caught.value.hint
    with pytest.raises(ConfigError, match="every parameter is frozen"):
        build_optimizer(build(), OptimizerConfig(), ((".*", ParameterPolicy(lr_scale=0.0)),))


def test_rates_are_scaled() -> None:
    model = build()
    policies = ((r"head\..*", ParameterPolicy(10.0)), (r".*", ParameterPolicy(0.5, decay=False)))
    optimizer = build_optimizer(model, OptimizerConfig(lr=0.2), policies)
    set_lr(optimizer, 0.01)
    groups = names_of(model, optimizer)
    assert groups["head.weight"]["lr"] == pytest.approx(0.1) and groups["cls_token"]["lr"] == pytest.approx(0.005)
    set_lr(optimizer, 0.02)
    assert groups["head.weight"]["lr"] == pytest.approx(0.2), "not compounded"


def test_adamw_by_hand() -> None:
    """Decoupled decay: θ ← θ − lr·λ·θ − lr·m̂/(√v̂ + ε); parameters without decay lack the first term."""
    config = OptimizerConfig(lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1)
    model = nn.Sequential()
    model.add_module("fc", nn.Linear(3, 2))
    optimizer = build_optimizer(model, config)
    values = {name: value.detach().double().clone() for name, value in model.named_parameters()}
    m = {name: torch.zeros_like(value) for name, value in values.items()}
    v = {name: torch.zeros_like(value) for name, value in values.items()}
    for step in range(1, 6):
        for name, parameter in model.named_parameters():
            grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step))
            parameter.grad = grad
            m[name] = 0.8 * m[name] + 0.2 * grad.double()
            v[name] = 0.95 * v[name] + 0.05 * grad.double() ** 2
            decay = 0.1 if name == "fc.weight" else 0.0
            m_hat, v_hat = m[name] / (1 - 0.8**step), v[name] / (1 - 0.95**step)
            values[name] = values[name] - 0.01 * decay * values[name] - 0.01 * m_hat / (v_hat.sqrt() + 1e-6)
        optimizer.step()

    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.double(), values[name], atol=1e-6)


def learning(parts: PartsConfig, **fields: Any) -> set[str]:
    model = build(**fields)
    if parts.lora.targets:
        adapt(model, parts.lora)
    build_optimizer(model, OptimizerConfig(), policies_of(parts, model.config.depth))
    return {name for name, value in model.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("fields", ROWS, ids=lambda fields: "-".join(f"{key}={value}" for key, value in fields.items()))
def test_layers_learn_the_slower_the_earlier(fields: dict[str, Any]) -> None:
    """MAE's rule: what precedes the blocks is layer 0, block i layer i + 1, the rest layer depth + 1."""
    model = build(**fields)
    policies = policies_of(PartsConfig(layer_decay=0.5), 2)
    for name, _ in model.named_parameters():
        layer = int(name.split(".")[1]) + 1 if name.startswith("blocks.") else 0
        if name.startswith(("norm.", "fc_norm.", "head", "attn_pool.", "pre_logits.")):
            layer = 3
        policy = policy_of(name, policies)
        assert policy.lr_scale == 0.5 ** (3 - layer), name
        plain = policy_of(name, MATRICES_DECAY)
        assert (policy.decay, policy.hidden) == (plain.decay, plain.hidden), name


def test_layer_decay_against_timm() -> None:
    theirs = timm.create_model(
        "vit_tiny_patch16_224", img_size=32, embed_dim=16, depth=3, num_heads=2, num_classes=3, global_pool="avg"
    )
    names = {id(value): name for name, value in theirs.named_parameters()}
    policies = policies_of(PartsConfig(layer_decay=0.7), 3)
    for group in param_groups_layer_decay(theirs, 0.1, layer_decay=0.7):
        for value in group["params"]:
            ours = policy_of(names[id(value)], policies)
            assert ours.lr_scale == pytest.approx(group["lr_scale"]), names[id(value)]


def test_what_learns() -> None:
    head, end = {"head.weight", "head.bias"}, {"norm.weight", "norm.bias"}
    second = {name for name, _ in build().named_parameters() if name.startswith("blocks.1.")}
    assert learning(PartsConfig(last_blocks=0)) == head
    assert learning(PartsConfig(last_blocks=1)) == head | end | second
    assert learning(PartsConfig(last_blocks=0), representation_size=4) == head | {
        "pre_logits.fc.weight",
        "pre_logits.fc.bias",
    }
    thin = {f"blocks.{index}.attn.qkv.lora_{one}" for index in (0, 1) for one in "ab"}
    assert learning(PartsConfig(lora=LoraConfig(r".*\.qkv", 2))) == head | thin
    assert len(learning(PartsConfig())) == len(list(build().named_parameters()))
    with pytest.raises(ConfigError, match="last_blocks = 3 is not allowed; allowed: at most the model's 2 blocks"):
        policies_of(PartsConfig(last_blocks=3), 2)


def test_frozen_norms_keep_their_statistics() -> None:
    model = build(stem="conv")
    build_optimizer(model, OptimizerConfig(), policies_of(PartsConfig(last_blocks=0), 2))
    before = {name: value.clone() for name, value in model.named_buffers()}
    model.train()
    hold_still(model)
    model(torch.randn(4, 3, 8, 8))
    assert before and all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert model.training and model.head.training


def test_sgd_by_hand() -> None:
    """The sum of gradients is b ← μ·b + g, and θ ← θ − lr·b."""
    model = nn.Sequential()
    model.add_module("fc", nn.Linear(3, 2))
    optimizer = build_optimizer(model, OptimizerConfig(kind="sgd", lr=0.01, momentum=0.9, weight_decay=0))
    values = {name: value.detach().double().clone() for name, value in model.named_parameters()}
    total = {name: torch.zeros_like(value) for name, value in values.items()}
    for step in range(4):
        set_lr(optimizer, 0.01 * (step + 1))
        for name, parameter in model.named_parameters():
            parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(step))
            total[name] = 0.9 * total[name] + parameter.grad.double()
            values[name] = values[name] - 0.01 * (step + 1) * total[name]
        optimizer.step()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.double(), values[name], atol=1e-6)
