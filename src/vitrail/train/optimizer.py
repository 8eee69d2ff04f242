"""Which parameter learns how: one ordered list of (pattern, policy) that must cover every parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.train.lamb import Lamb
from vitrail.train.muon import Muon
from vitrail.train.recipe import OptimizerConfig, PartsConfig


@dataclass(frozen=True)
class ParameterPolicy:
    """Say how one kind of parameter learns.

    Args:
        lr_scale: learning rate ÷ the recipe's; 0 freezes.
        decay: whether weight decay applies.
        hidden: whether it is a matrix between hidden features, which Muon moves if the recipe has it.
    """

    lr_scale: float = 1.0
    decay: bool = True
    hidden: bool = False


Policies = Sequence[tuple[str, ParameterPolicy]]

MATRICES_DECAY: Policies = (
    (r"blocks\..*\.(qkv|proj|fc1|fc2)\.weight|stem\.conv[1-9]\d*\.weight", ParameterPolicy(hidden=True)),
    (r".*(qkv|proj|q|kv|fc|fc1|fc2|head|head_dist|conv\d*)\.weight|.*\.lora_[ab]", ParameterPolicy()),
    (r".*", ParameterPolicy(decay=False)),
)
"""Weight matrices and kernels decay; biases, norms, tokens and positions do not (as in the paper's code). Matrices
between hidden features may be moved by Muon; what reads pixels or gives logits may not (as its authors advise)."""

HEAD = r"(head|head_dist|pre_logits)\..*"
END = rf"{HEAD}|(norm|fc_norm|attn_pool)\..*"
"""What gives logits, and what follows the blocks."""


def policies_of(parts: PartsConfig, depth: int) -> Policies:
    """Write the list of policies that makes the parts of a model learn as fast as they shall.

    Args:
        parts: which parts learn, and how fast.
        depth: blocks of the model.

    Returns:
        `MATRICES_DECAY` for each part, with the part's `lr_scale`.

    Raises:
        ConfigError: if the model has fewer blocks than shall learn.

    Source:
        Layer-wise decay as in MAE's `lr_decay.py`: decay ** (depth − index) for a block, decay ** (depth + 1) for what
        comes before the first. What follows the blocks has 1.
    """
    decay, learning = parts.layer_decay, depth if parts.last_blocks is None else parts.last_blocks
    if learning > depth:
        raise ConfigError(f"last_blocks = {learning} is not allowed; allowed: at most the model's {depth} blocks")
    blocks = [(rf"blocks\.{index}\..*", decay ** (depth - index)) for index in range(depth - learning, depth)]
    scales = [(END, 1.0), *blocks, (r".*", decay ** (depth + 1) if parts.last_blocks is None else 0.0)]
    if parts.last_blocks == 0:
        scales = [(HEAD, 1.0), (r".*", 0.0)]
    if parts.lora.targets:
        scales = [(rf"{HEAD}|.*\.lora_[ab]", 1.0), (r".*", 0.0)]
    return [
        (rf"(?=(?:{part})\Z)(?:{pattern})", replace(policy, lr_scale=policy.lr_scale * scale))
        for part, scale in scales
        for pattern, policy in MATRICES_DECAY
    ]


def policy_of(name: str, policies: Policies) -> ParameterPolicy:
    """Find the policy of a parameter: the first pattern that matches its whole name.

    Args:
        name: dotted name in the model.
        policies: ordered patterns.

    Returns:
        The policy.

    Raises:
        ConfigError: if no pattern matches.
    """
    for pattern, policy in policies:
        if re.fullmatch(pattern, name):
            return policy
    raise ConfigError(f"no policy covers the parameter {name!r}", hint="end the list with ('.*', …)")


def build_optimizer(
    model: nn.Module, config: OptimizerConfig, policies: Policies = MATRICES_DECAY
) -> torch.optim.Optimizer:
    """Build the optimizer with one group for each policy; frozen parameters are left out and need no gradient.

    Args:
        model: its parameters are grouped.
        config: kind, learning rate, betas, decay.
        policies: ordered patterns that cover every parameter.

    Returns:
        AdamW, Muon, SGD or LAMB; each group carries `lr_scale`, by which `set_lr` multiplies.

    Raises:
        ConfigError: if a parameter is not covered, or all are frozen.
    """
    groups: dict[ParameterPolicy, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        policy = policy_of(name, policies)
        parameter.requires_grad_(policy.lr_scale > 0)
        if parameter.requires_grad:
            groups.setdefault(policy, []).append(parameter)
    if not groups:
        raise ConfigError("every parameter is frozen", hint="give at least one policy an lr_scale above 0")
    muon = config.kind == "muon"
    described = [
        {
            "params": members,
            "lr_scale": policy.lr_scale * (config.muon_scale if muon and policy.hidden else 1.0),
            "weight_decay": config.weight_decay * policy.decay,
            "muon": muon and policy.hidden,
        }
        for policy, members in groups.items()
    ]
    if muon:
        return Muon(described, config.momentum, lr=config.lr, betas=config.betas, eps=config.eps)
    if config.kind == "sgd":
        return torch.optim.SGD(described, lr=config.lr, momentum=config.momentum)
    if config.kind == "lamb":
        return Lamb(described, lr=config.lr, betas=config.betas, eps=config.eps)
    return torch.optim.AdamW(described, lr=config.lr, betas=config.betas, eps=config.eps)


def count_learning(model: nn.Module) -> tuple[int, int]:
    """Count what learns.

    Args:
        model: as `build_optimizer` left it.

    Returns:
        How many of its numbers learn, and how many there are.
    """
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, learns in sizes if learns), sum(size for size, _ in sizes)


def hold_still(model: nn.Module) -> None:
    """Let the layers that are frozen behave as in evaluation: running statistics of a norm stay as they are.

    Args:
        model: changed in place; in training mode.
    """
    for module in model.modules():
        own = list(module.parameters())
        if own and not any(parameter.requires_grad for parameter in own) and not list(module.children()):
            module.eval()


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group.

    Args:
        optimizer: changed in place.
        lr: before each group's scale.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
