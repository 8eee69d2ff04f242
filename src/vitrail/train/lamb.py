"""LAMB: Adam whose step for each tensor is as long as the tensor, so that very large batches learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """Scale Adam's step, decay included, to the norm of the tensor; tensors without decay are moved as by Adam.

    Args:
        params: groups, as torch takes them.
        lr: learning rate, greater than 0.
        betas: decay of the running means of gradient and squared gradient, 0 ≤ β < 1.
        eps: added to the root of the squared gradient.
        weight_decay: times the tensor, added to the step before it is scaled; 0 or more.

    Source:
        You et al. 2019 (arXiv 1904.00962), algorithm 2; which tensors are scaled, as in NVIDIA's FusedLAMB and timm.
        Clipping of the gradient is left to the training loop.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter once.

        Args:
            closure: evaluates the model anew, as for any optimizer of torch.

        Returns:
            What the closure gave, if there is one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2), decay = self.state[parameter], group["betas"], group["weight_decay"]
        if not state:
            zeros = torch.zeros_like(parameter)
            state |= {"step": torch.tensor(0.0), "exp_avg": zeros, "exp_avg_sq": zeros.clone()}
        state["step"] += 1
        count = state["step"].item()
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1) / (1 - beta1**count)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        update = mean / ((square / (1 - beta2**count)).sqrt() + group["eps"])
        if decay:
            update += decay * parameter
            ratio = parameter.norm() / update.norm()
            update *= torch.where(torch.isfinite(ratio) & (ratio > 0), ratio, 1.0)
        parameter.sub_(update, alpha=group["lr"])
