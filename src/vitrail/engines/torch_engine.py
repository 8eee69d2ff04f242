"""PyTorch as engine: what training, evaluation and prediction run on."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TorchEngine:
    """Run a model on float batches without gradients.

    Args:
        model: moved to the device, set to evaluation.
        device: where it runs.
    """

    def __init__(self, model: nn.Module, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()

    @torch.inference_mode()
    def __call__(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch out"]:
        """Compute logits, in float32 on the CPU.

        Args:
            images: normalised pixels.

        Returns:
            What the model gives.
        """
        out: Tensor = self.model(images.to(self.device))
        return out.float().cpu()
