"""How the kernel that projects patches is carried to another size of patch, or another number of channels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.core.config import require
from vitrail.nn.position.resample import resample


def resize_kernel(
    kernel: Float[Tensor, "out channels rows columns"], size: tuple[int, int], rule: str = "timm"
) -> Float[Tensor, "out channels new_rows new_columns"]:
    """Carry a kernel to another size of patch, so that a resized patch gives what the patch gave.

    With B the matrix that resizes a patch, the new kernel is (Bᵀ)⁺ w, the pseudo-inverse and not an interpolation. For
    larger patches ⟨B x, new⟩ = ⟨x, w⟩ exactly, for every patch x. For smaller ones that is impossible: the new kernel
    has the least squared error over all x. Carry from the original each time: steps on the way lose something.

    Args:
        kernel: of a convolution whose stride is its size.
        size: rows and columns wanted, in pixels.
        rule: row of `RULES`, how a patch is resized: "timm" is how Pillow resizes images by its bicubic filter.

    Returns:
        The kernel of that size, of the same type, computed in float64; the very kernel if it has it already.

    Raises:
        ConfigError: if there is no such rule.

    Source:
        Beyer et al. 2022 (FlexiViT, arXiv 2212.08013), "PI-resize", and its code, which resizes the patch bilinearly.
    """
    old = (kernel.shape[2], kernel.shape[3])
    if old == size:
        return kernel
    places = old[0] * old[1]
    basis = torch.eye(places, dtype=torch.float64, device=kernel.device)
    matrix = resample(basis.reshape(*old, places), size, rule).flatten(0, 1)
    resized = kernel.flatten(2).double() @ torch.linalg.pinv(matrix)
    return resized.unflatten(2, size).to(kernel.dtype)


def adapt_channels(
    kernel: Float[Tensor, "out channels rows columns"], channels: int
) -> Float[Tensor, "out new_channels rows columns"]:
    """Carry the kernel of the first convolution to images of another number of channels.

    To one channel, the channels are summed: a grey image gives what it gave as colour. To n channels, they are repeated
    (or the last ones left out) and scaled by old / n, so that responses stay about as large; exactly so for channels
    that are all alike, if n is a multiple of the old number.

    Args:
        kernel: of a convolution over the image itself.
        channels: of the images wanted, 1 or more.

    Returns:
        The kernel for them, of the same type; the very kernel if it takes so many already.

    Raises:
        ConfigError: for less than one channel.

    Source:
        timm's `adapt_input_conv`.
    """
    require(channels >= 1, "in_chans", channels, "1 or more")
    old = kernel.shape[1]
    if old == channels:
        return kernel
    exact = kernel.to(torch.promote_types(kernel.dtype, torch.float32))
    if channels == 1:
        return exact.sum(dim=1, keepdim=True).to(kernel.dtype)
    repeated = exact.repeat(1, -(-channels // old), 1, 1)[:, :channels]
    return (repeated * (old / channels)).to(kernel.dtype)
