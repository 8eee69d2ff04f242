"""How weights begin: the paper's code, and the original post's. The table of schemes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vitrail.core.table import Table


def lecun_normal_(weight: Tensor) -> None:
    """Fill with a normal of variance 1 / fan-in, cut off at two standard deviations.

    Args:
        weight: (out, in, …), changed in place.

    Source:
        The default of Flax's Dense and Conv; the factor restores the variance that cutting off takes.
    """
    std = math.sqrt(1.0 / weight[0].numel()) / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)


def paper_init(name: str, module: nn.Module) -> None:
    """Initialise one module as the paper's published code does.

    Args:
        name: its dotted name in the model.
        module: changed in place.

    Source:
        google-research/vision_transformer, `models_vit.py`: Xavier-uniform for dense layers (q, k and v each on its
        own), biases of the MLP N(0, 1e-6), zero head. The distillation token, unknown there, is drawn as in DeiT.
    """
    last = name.rpartition(".")[2]
    if isinstance(module, nn.Linear):
        if last in ("head", "head_dist"):
            nn.init.zeros_(module.weight)
        elif name == "pre_logits.fc":
            lecun_normal_(module.weight)
        elif last in ("qkv", "kv"):
            for part in module.weight.chunk(len(last)):
                nn.init.xavier_uniform_(part)
        else:
            nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.normal_(module.bias, std=1e-6) if ".mlp." in name else nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Conv2d):
        lecun_normal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def post_init(name: str, module: nn.Module) -> None:
    """Initialise one module as the original post does.

    Args:
        name: its dotted name in the model.
        module: changed in place.

    Source:
        The post follows timm of 2021: dense layers N(0, 0.01) cut off at ±2, convolutions Kaiming-normal by fan-out,
        biases zero.
    """
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.01)
    elif isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out")
    if isinstance(module, nn.Linear | nn.Conv2d) and module.bias is not None:
        nn.init.zeros_(module.bias)


INITS: Table[Callable[[str, nn.Module], None]] = Table("init", {"paper": paper_init, "post": post_init})


@torch.no_grad()
def init_weights(model: nn.Module, scheme: str) -> None:
    """Initialise every dense and convolutional layer of a model, and the tokens before its patches.

    Args:
        model: changed in place.
        scheme: row of `INITS`.
    """
    for name, module in model.named_modules():
        INITS[scheme](name, module)
    for name, parameter in model.named_parameters():
        if name in ("dist_token", "reg_token") or (name == "cls_token" and scheme == "post"):
            nn.init.trunc_normal_(parameter, std=0.02)
