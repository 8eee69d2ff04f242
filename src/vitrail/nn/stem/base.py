"""What every stem is: a chain of layers before the image is cut into patches, and the choice of one."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, ClassVar, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from vitrail.core.config import Component, require
from vitrail.core.errors import ConfigError
from vitrail.core.table import Table
from vitrail.nn.patch_embed import PatchEmbed

FeatureMap: TypeAlias = Float[Tensor, "batch channels_out height_out width_out"]


class Stem(nn.Sequential):
    """Be a chain of layers that knows what it does to the shape.

    It turns (batch, in_chans, H, W) into (batch, out_chans, H / reduction, W / reduction).

    Args:
        layers: name → layer; none for the plain ViT.
        out_chans: channels that come out.
        reduction: factor by which height and width shrink.
        makes_tokens: whether each place that comes out is a token already, so that no projection follows.
    """

    def __init__(
        self, layers: dict[str, nn.Module], out_chans: int, reduction: int, makes_tokens: bool = False
    ) -> None:
        super().__init__(OrderedDict(layers))
        self.out_chans = out_chans
        self.reduction = reduction
        self.makes_tokens = makes_tokens


class StemConfig(Component):
    """Choose a stem; a callable `(in_chans, embed_dim, patch_size) → Stem` is accepted in its place.

    `is_backbone` says that the stem's weights have names of timm's, which lie under `patch_embed.backbone`; those of
    any other stem lie under `stem`.
    """

    is_backbone: ClassVar[bool] = False

    @classmethod
    def rows(cls) -> Table[Any]:
        """Name the table of kinds."""
        from vitrail.nn.stem import STEMS

        return STEMS

    def build(self, in_chans: int, embed_dim: int, patch_size: int) -> Stem:
        """Build the module; its reduction must divide `patch_size`."""
        raise NotImplementedError

    def build_with_patch_embed(
        self, in_chans: int, embed_dim: int, patch_size: int, patch_bias: bool = True
    ) -> tuple[Stem, PatchEmbed]:
        """Build the whole way from image to tokens.

        Args:
            in_chans: channels of the image.
            embed_dim: width of a token.
            patch_size: side of a patch in pixels of the image.
            patch_bias: whether the projection has a bias.

        Returns:
            The stem, empty if it is a backbone within the patch embedding, and the patch embedding after it.

        Raises:
            ConfigError: if the stem does not fit the patch or the width.
        """
        stem = self.build(in_chans, embed_dim, patch_size)
        if patch_size % stem.reduction:
            raise ConfigError(f"patch_size = {patch_size} is not a multiple of the stem's reduction {stem.reduction}")
        if stem.makes_tokens:
            require(patch_size == stem.reduction, "patch_size", patch_size, f"{stem.reduction} with this stem")
            require(embed_dim == stem.out_chans, "embed_dim", embed_dim, f"{stem.out_chans} with this stem")
        backbone = stem if self.is_backbone else None
        projected = None if stem.makes_tokens else patch_size // stem.reduction
        embed = PatchEmbed(stem.out_chans, embed_dim, projected, backbone, patch_bias)
        return (Stem({}, in_chans, 1), embed) if self.is_backbone else (stem, embed)
