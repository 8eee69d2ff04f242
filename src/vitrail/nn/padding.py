"""Zeros around an image, until patches tile it."""

from __future__ import annotations

from torch.nn.functional import pad

from vitrail.nn.shapes import Grid, Images


def pad_to(images: Images, grid: Grid, patch_size: int) -> Images:
    """Put zeros at the right and at the bottom of images. Zero is the mean of the pixels after normalisation.

    Args:
        images: normalised pixels.
        grid: rows and columns of patches wanted.
        patch_size: side of a patch in pixels.

    Returns:
        Images of exactly `grid` × `patch_size` pixels.
    """
    height, width = images.shape[2:]
    return pad(images, (0, grid[1] * patch_size - width, 0, grid[0] * patch_size - height))
