"""Cut an image, or a feature map, into patches and project each to a token (the paper's equation 1)."""

from __future__ import annotations

from torch import nn

from vitrail.nn.shapes import Images, Tokens


class PatchEmbed(nn.Module):
    """Project non-overlapping square patches to tokens; a convolution with stride = kernel = patch is that projection.

    Args:
        in_chans: channels of the image, or of the feature map for hybrids.
        embed_dim: width of a token.
        patch_size: side of a patch, in pixels of what is projected; 1 for most hybrids. None if what comes in is a
            token at each pixel already.
        backbone: what makes a feature map of the image first, in hybrids.
        bias: whether the projection has one.

    Source:
        Dosovitskiy et al. 2020 (arXiv 2010.11929), equation 1; hybrids: section 3.1.
    """

    def __init__(
        self,
        in_chans: int,
        embed_dim: int,
        patch_size: int | None,
        backbone: nn.Module | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.backbone = nn.Identity() if backbone is None else backbone
        self.proj = nn.Conv2d(in_chans, embed_dim, patch_size, patch_size, bias=bias) if patch_size else nn.Identity()

    def forward(self, image: Images) -> Tokens:
        return self.proj(self.backbone(image)).flatten(2).transpose(1, 2)
