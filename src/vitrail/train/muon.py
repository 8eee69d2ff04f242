"""AdamW that moves hidden weight matrices by orthogonalised momentum: Muon."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic a·x + b·x³ + c·x⁵, whose slope at 0 is as large as convergence to about 1 allows."""
ITERATIONS = 5


def orthogonalise(
    matrices: Float[Tensor, "count rows columns"], iterations: int = ITERATIONS
) -> Float[Tensor, "count rows columns"]:
    """Replace the singular values of matrices by numbers of about 1 (0.7 … 1.2), by a Newton–Schulz iteration.

    Args:
        matrices: any scale; a matrix of zeros stays so.
        iterations: of the quintic, 0 or more.

    Returns:
        The same shape and type.

    Source:
        Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks". It is done in float32 here, where
        the authors take bfloat16, which CPUs lack.
    """
    a, b, c = COEFFICIENTS
    x = matrices.float()
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.AdamW):
    """Move the parameters of groups with `muon` set by orthogonalised momentum, those of the others by AdamW.

    A kernel counts as the matrix (out, in · height · width). A step's size is scaled such that its root mean square is
    about that of AdamW, so one learning rate serves both.

    Args:
        params: groups, as torch takes them; each may have `muon`.
        momentum: decay of the running sum of gradients, 0 ≤ momentum < 1.
        options: of AdamW.

    Source:
        Jordan et al. 2024; scale 0.2 · √max(rows, columns): Liu et al. 2025, "Muon is Scalable for LLM Training"
        (arXiv 2502.16982), section 2.2.
    """

    def __init__(self, params: Iterable[dict[str, Any]], momentum: float = 0.95, **options: Any) -> None:
        self.momentum = momentum
        super().__init__(params, **options)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Move every parameter once.

        Args:
            closure: evaluates the model anew, as for any optimizer of torch.

        Returns:
            What the closure gave, if there is one.
        """
        moved: list[tuple[Tensor, Tensor]] = []
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group.get("muon"):
                moved += self._move(group)
        for parameter, _ in moved:
            parameter.grad = None  # AdamW passes over what has no gradient
        super().step()
        for parameter, gradient in moved:
            parameter.grad = gradient
        return loss

    def _move(self, group: dict[str, Any]) -> list[tuple[Tensor, Tensor]]:
        """Step the parameters of one group, those of one shape together."""
        shapes: dict[torch.Size, list[Tensor]] = {}
        for parameter in group["params"]:
            if parameter.grad is not None:
                shapes.setdefault(parameter.shape, []).append(parameter)
        for shape, parameters in shapes.items():
            rows, columns = shape[0], math.prod(shape[1:])
            updates = torch.stack([self._momentum(parameter).reshape(rows, columns) for parameter in parameters])
            size = 0.2 * math.sqrt(max(rows, columns)) * group["lr"]
            for parameter, update in zip(parameters, orthogonalise(updates), strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.sub_(update.reshape(shape), alpha=size)
        return [(one, one.grad) for parameters in shapes.values() for one in parameters if one.grad is not None]

    def _momentum(self, parameter: Tensor) -> Tensor:
        """Take in the gradient, and give Nesterov's look ahead."""
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        buffer = state["momentum"].lerp_(gradient, 1 - self.momentum)
        return gradient.lerp(buffer, self.momentum)
