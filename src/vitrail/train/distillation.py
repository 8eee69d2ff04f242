"""What a student makes small that learns from labels and from a teacher."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from vitrail.nn.shapes import Images
from vitrail.train.objective import Classification, Output, Targets
from vitrail.train.recipe import ObjectiveConfig

Logits = Float[Tensor, "batch classes"]
Teacher = Callable[[Images], Logits]


def _hard(student: Logits, teacher: Logits, temperature: float) -> Tensor:
    return cross_entropy(student, teacher.argmax(dim=1))


def _soft(student: Logits, teacher: Logits, temperature: float) -> Tensor:
    ours, theirs = log_softmax(student / temperature, dim=1), log_softmax(teacher / temperature, dim=1)
    return kl_div(ours, theirs, reduction="sum", log_target=True) * temperature**2 / student.numel()


IMITATIONS: dict[str, Callable[[Logits, Logits, float], Tensor]] = {"hard": _hard, "soft": _soft}
"""(logits of the student, of the teacher, temperature) → the mean over the batch; rows of `distillation`."""


class Distillation:
    """Compare one head with the labels and the other with a teacher's answer for the same images.

    A model with one head learns both by it.

    Args:
        labels: what the labels are worth; of a distilled model the class token's head is given to it.
        config: which imitation, its temperature and share.
        teacher: gives its logits, classes in the order of the student's, without gradients.

    Source:
        Touvron et al. 2020 (arXiv 2012.12877), equations 2 and 3, with the reduction of the published code: the
        divergence is a mean over images and classes, 1 ÷ classes of the paper's. A student without a distillation token
        is the paper's baseline, which the published code has no place for.
    """

    def __init__(self, labels: Classification, config: ObjectiveConfig, teacher: Teacher) -> None:
        self.labels, self.teacher = labels, teacher
        self.imitation, self.temperature = IMITATIONS[config.distillation], config.temperature
        self.share = config.teacher_share

    def __call__(self, output: Output, targets: Targets, images: Images) -> Float[Tensor, ""]:
        """Compute the loss of one batch.

        Args:
            output: logits, or those of both heads.
            targets: probability of each class.
            images: what the student was given, as it was given.

        Returns:
            The mean over the batch.
        """
        told, imitating = output if isinstance(output, tuple) else (output, output)
        imitated = self.imitation(imitating.float(), self.teacher(images).float(), self.temperature)
        return (1 - self.share) * self.labels(told, targets, images) + self.share * imitated
