"""Which parameter learns how: one ordered list of (pattern, policy) that must cover every parameter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from vitrail.core.errors import ConfigError
from vitrail.train.muon import Muon
from vitrail.train.recipe import OptimizerConfig


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
    (r".*(qkv|proj|q|kv|fc|fc1|fc2|head|head_dist|conv\d*)\.weight", ParameterPolicy()),
    (r".*", ParameterPolicy(decay=False)),
)
"""Weight matrices and kernels decay; biases, norms, tokens and positions do not (as in the paper's code). Matrices
between hidden features may be moved by Muon; what reads pixels or gives logits may not (as its authors advise)."""


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
) -> torch.optim.AdamW:
    """Build the optimizer with one group for each policy; frozen parameters are left out and need no gradient.

    Args:
        model: its parameters are grouped.
        config: kind, learning rate, betas, decay.
        policies: ordered patterns that cover every parameter.

    Returns:
        AdamW or Muon; each group carries `lr_scale`, by which `set_lr` multiplies.

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
    return torch.optim.AdamW(described, lr=config.lr, betas=config.betas, eps=config.eps)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Set the learning rate of every group.

    Args:
        optimizer: changed in place.
        lr: before each group's scale.
    """
    for group in optimizer.param_groups:
        group["lr"] = lr * group["lr_scale"]
