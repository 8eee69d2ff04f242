"""Convolutions whose kernels are standardised, and where their images are padded."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import batch_norm, pad

from vitrail.nn.shapes import Images
from vitrail.nn.stem.base import FeatureMap

Padding = Literal["same", "symmetric"]


def padding_of(kernel_size: int, stride: int, padding: Padding) -> tuple[int, int]:
    """Say by how much an image is padded.

    Args:
        kernel_size: side of the kernel in pixels.
        stride: step in pixels; must divide the sides of the image, as it does where whole patches tile the image.
        padding: "same": as little as needed, the odd pixel after the image (TensorFlow, Flax); "symmetric": equally on
            both sides (torch).

    Returns:
        Pixels before and after the image, in each direction.
    """
    total = max(0, kernel_size - stride) if padding == "same" else 2 * ((kernel_size - 1) // 2)
    return total // 2, total - total // 2


class StdConv2d(nn.Conv2d):
    """Convolve with kernels that have mean 0 and variance 1 for each channel that comes out; no bias.

    Args:
        in_chans: channels that come in.
        out_chans: channels that come out.
        kernel_size: side of the kernel in pixels.
        stride: step in pixels.
        padding: how the image is padded with zeros.
        eps: added to the variance, greater than 0.

    Source:
        Qiao et al. 2019 (arXiv 1903.10520), as timm has it. The paper's code adds 1e-5 to the standard deviation
        instead.
    """

    def __init__(
        self, in_chans: int, out_chans: int, kernel_size: int, stride: int, padding: Padding, eps: float
    ) -> None:
        before, after = padding_of(kernel_size, stride, padding)
        super().__init__(in_chans, out_chans, kernel_size, stride, padding=before, bias=False)
        self.pad_after = after - before
        self.eps = eps

    def forward(self, image: Images) -> FeatureMap:
        if self.pad_after:
            image = pad(image, (0, self.pad_after, 0, self.pad_after))
        return self._conv_forward(image, self.kernels(), None)

    def kernels(self) -> Tensor:
        """Standardise the kernels.

        Returns:
            What images are convolved with, of the weight's shape.
        """
        # The normalisation of a batch of one, with a channel for each kernel: timm's operation, so that bits are equal.
        kernels = self.weight.reshape(1, self.out_channels, -1)
        return batch_norm(kernels, None, None, training=True, momentum=0.0, eps=self.eps).reshape_as(self.weight)
