"""What training makes small."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from vitrail.nn.shapes import Images
from vitrail.train.recipe import ObjectiveConfig

Output = Float[Tensor, "batch classes"] | tuple[Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]]
Targets = Float[Tensor, "batch classes"]
Objective = Callable[[Output, Targets, Images], Float[Tensor, ""]]
Loss = Callable[[Float[Tensor, "batch classes"], Targets, Float[Tensor, " classes"] | None], Float[Tensor, ""]]


def _softmax(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    return cross_entropy(logits, targets, weights)


def _sigmoid(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    return binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum") / len(logits)


def _binary(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    return binary_cross_entropy_with_logits(logits, (targets > 0).to(targets.dtype), weights)


LOSSES: dict[str, Loss] = {"softmax": _softmax, "sigmoid": _sigmoid, "binary": _binary}
"""(logits, targets, weights of classes) → the mean over the batch."""


class Classification:
    """Compare logits with the probabilities of classes; the mean over both heads of a distilled model.

    Args:
        config: which loss, and what rare classes count.
        counts: training images of each class; needed where rare classes count more.
        device: where.

    Source:
        `ObjectiveConfig`.
    """

    def __init__(self, config: ObjectiveConfig, counts: Sequence[int] = (), device: str | torch.device = "cpu") -> None:
        self.loss = LOSSES[config.loss]
        images = torch.tensor(counts, dtype=torch.float64).clamp_min(1)
        share = images / images.sum()
        weights = images**-config.class_weights
        weights, shift = weights / (weights * share).sum(), config.logit_adjustment * share.log()
        self.weights = weights.float().to(device) if config.class_weights else None
        self.shift = shift.float().to(device) if config.logit_adjustment else None

    def __call__(self, output: Output, targets: Targets, images: Images | None = None) -> Float[Tensor, ""]:
        """Compute the loss of one batch.

        Args:
            output: logits, or those of both heads.
            targets: probability of each class.
            images: what the model was given; nothing is done with them.

        Returns:
            The mean over the batch.
        """
        heads = output if isinstance(output, tuple) else (output,)
        return torch.stack([self._of(logits.float(), targets) for logits in heads]).mean()

    def _of(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.loss(logits if self.shift is None else logits + self.shift, targets, self.weights)


def bias_heads(model: nn.Module, bias: float) -> None:
    """Give the bias of every head the value that an objective begins with.

    Args:
        model: changed in place.
        bias: `head_bias` of an objective.
    """
    for name, module in model.named_modules():
        if name in ("head", "head_dist") and isinstance(module, nn.Linear):
            nn.init.constant_(module.bias, bias)


classification_loss = Classification(ObjectiveConfig())
"""Cross-entropy with the targets' probabilities."""
