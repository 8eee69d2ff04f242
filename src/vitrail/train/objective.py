"""What training makes small."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy


def classification_loss(
    output: Float[Tensor, "batch classes"] | tuple[Float[Tensor, "batch classes"], Float[Tensor, "batch classes"]],
    targets: Float[Tensor, "batch classes"],
) -> Float[Tensor, ""]:
    """Compute the cross-entropy with the targets' probabilities; the mean over both heads of a distilled model.

    Args:
        output: logits, or those of both heads.
        targets: probability of each class.

    Returns:
        The mean over the batch.
    """
    heads = output if isinstance(output, tuple) else (output,)
    return sum(
        (cross_entropy(logits.float(), targets) for logits in heads[1:]), cross_entropy(heads[0].float(), targets)
    ) / len(heads)
