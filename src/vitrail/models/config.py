"""What makes one Vision Transformer differ from another, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from vitrail.core.config import Component, field_types, is_config, require
from vitrail.core.errors import ConfigError
from vitrail.core.override import override
from vitrail.nn.block_config import BlockConfig, DropConfig
from vitrail.nn.init import INITS
from vitrail.nn.pooling import ClassTokenPoolConfig, PoolConfig
from vitrail.nn.position import Learned1dConfig, PositionConfig
from vitrail.nn.shapes import Grid
from vitrail.nn.stem import PatchStemConfig, StemConfig


@dataclass(frozen=True)
class TokenConfig:
    """Describe the sequence that enters the encoder.

    Args:
        class_token: whether there is a class token.
        distilled: whether a distillation token, with a head of its own, follows it (DeiT).
        registers: how many registers follow, before the patches: tokens that nothing reads (Darcet et al. 2023).
        patch_bias: whether the projection of patches has a bias; CLIP's has none.
        pre_norm: whether tokens are normalised before the first block (CLIP).
        dynamic: whether images of any size are taken that patches tile; positions are carried to their grid.
        dynamic_pad: whether, with `dynamic`, images of any size at all are taken: zeros are put at their right and
            bottom until patches tile them.

    Raises:
        ConfigError: for a number of registers below 0, or padding without `dynamic`.
    """

    class_token: bool = True
    distilled: bool = False
    registers: int = 0
    patch_bias: bool = True
    pre_norm: bool = False
    dynamic: bool = False
    dynamic_pad: bool = False

    def __post_init__(self) -> None:
        require(self.registers >= 0, "registers", self.registers, "0 or more")
        require(self.dynamic or not self.dynamic_pad, "dynamic_pad", True, "false without dynamic", "dynamic=true")

    @property
    def count(self) -> int:
        """How many tokens stand before the patches."""
        return int(self.class_token) + int(self.distilled) + self.registers


class _FlatNames(type):
    """Let a config be called with the names of its parts' fields, and with names of kinds in place of configs."""

    def __call__(cls, *values: Any, **fields: Any) -> Any:
        known = field_types(cls)
        if all(name in known and _is_final(value, known[name]) for name, value in fields.items()):
            return super().__call__(*values, **fields)
        return super().__call__(*values).updated(**fields)


def _is_final(value: object, kind: Any) -> bool:
    part = isinstance(kind, type) and (is_config(kind) or issubclass(kind, Component))
    return not part or isinstance(value, kind)


@dataclass(frozen=True)
class ViTConfig(metaclass=_FlatNames):
    """Describe a Vision Transformer; the defaults are ViT-B/16 at 224 pixels.

    Fields of the parts may be given by their own names: `ViTConfig(embed_dim=64, num_heads=4, position="none")`.

    Args:
        img_size: side of the image in pixels, or (height, width); whole patches must tile it.
        patch_size: side of a patch in pixels.
        in_chans: channels of the image.
        num_classes: classes of the head; 0 for none, the output is then the pooled features.
        embed_dim: width of a token.
        depth: number of blocks.
        representation_size: width of a tanh layer before the head; None for none.
        block: what is equal in every block (num_heads, mlp_ratio, qkv_bias, qk_scale, qk_norm, layer_scale, mlp, norm,
            act).
        drop: dropout and stochastic depth (drop_rate, attn_drop_rate, drop_path_rate).
        tokens: the sequence that enters the encoder (class_token, distilled, registers, patch_bias, pre_norm, dynamic,
            dynamic_pad).
        stem: kind of stem.
        position: kind of position.
        pool: kind of pooling.
        init: scheme of initial weights, "paper" or "post".

    Raises:
        ConfigError: for a value out of its range or a combination that means nothing.

    Source:
        Dosovitskiy et al. 2020, table 1; `distilled`: Touvron et al. 2020 (arXiv 2012.12877).
    """

    img_size: int | tuple[int, int] = 224
    patch_size: int = 16
    in_chans: int = 3
    num_classes: int = 1000
    embed_dim: int = 768
    depth: int = 12
    representation_size: int | None = None
    block: BlockConfig = BlockConfig()
    drop: DropConfig = DropConfig()
    tokens: TokenConfig = TokenConfig()
    stem: StemConfig = PatchStemConfig()
    position: PositionConfig = Learned1dConfig()
    pool: PoolConfig = ClassTokenPoolConfig()
    init: str = "paper"

    def __post_init__(self) -> None:
        for name in ("patch_size", "in_chans", "embed_dim"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("num_classes", "depth"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        size, patch = self.image_size, self.patch_size
        tiled = all(side >= patch and side % patch == 0 for side in size)
        above = [max(1, -(-side // patch)) * patch for side in size]
        require(tiled, "img_size", self.img_size, f"multiples of the patch size {patch}", f"the next is {above}")
        heads = self.block.num_heads
        require(self.embed_dim % heads == 0, "num_heads", heads, f"a divisor of embed_dim {self.embed_dim}")
        ratio = self.block.mlp_ratio
        require(self.embed_dim * ratio >= 1, "mlp_ratio", ratio, f"at least 1 / embed_dim = 1 / {self.embed_dim}")
        representation = self.representation_size is None or self.representation_size >= 1
        require(representation, "representation_size", self.representation_size, "1 or more, or none")
        _ = INITS[self.init]
        if self.pool.needs_class_token:
            require(self.tokens.class_token, "class_token", False, f"true with pool {self.pool.kind!r}", "pool='mean'")
        if self.tokens.distilled:
            require(self.pool.kind == "class_token", "pool", self.pool.kind, "'class_token' with distilled=True")
            plain = self.representation_size is None
            require(plain, "representation_size", self.representation_size, "none with distilled=True")

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """Build a config from flat names, such as `ViTConfig.of(embed_dim=64, num_heads=4, position="none")`.

        Args:
            fields: any field, those of the parts included; `has_logits=True` stands for a representation layer as wide
                as a token, as in the original post.

        Returns:
            The config.

        Raises:
            ConfigError: for unknown names and wrong values.
        """
        return cls().updated(**fields)

    def updated(self, **fields: Any) -> Self:
        """Replace fields by their flat names.

        Args:
            fields: as for `of`.

        Returns:
            A new config.

        Raises:
            ConfigError: for unknown names and wrong values.
        """
        has_logits = fields.pop("has_logits", None)
        names = self.__dataclass_fields__
        draft = override(_Draft(**{name: getattr(self, name) for name in names}), fields)
        if has_logits is not None:
            draft = replace(draft, representation_size=draft.embed_dim if has_logits else None)
        return replace(self, **{name: getattr(draft, name) for name in names})

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return (self.img_size, self.img_size) if isinstance(self.img_size, int) else self.img_size

    @property
    def grid(self) -> Grid:
        """Rows and columns of patches."""
        height, width = self.image_size
        return height // self.patch_size, width // self.patch_size

    @property
    def num_tokens(self) -> int:
        """Length of the sequence: patches and the tokens before them."""
        return self.tokens.count + self.grid[0] * self.grid[1]

    def grid_of(self, shape: Sequence[int]) -> Grid:
        """Find the grid of images that the model is given.

        Args:
            shape: of the images: (batch, channels, height, width).

        Returns:
            Rows and columns of patches.

        Raises:
            ConfigError: if the model does not take images of this shape.
        """
        *_, channels, height, width = 0, 0, *shape
        patch, tokens = self.patch_size, self.tokens
        known = len(shape) == 4 and channels == self.in_chans
        if known and (height, width) == self.image_size:
            return self.grid
        if known and tokens.dynamic:
            grid = -(-height // patch), -(-width // patch)
            if min(grid) >= 1 and (tokens.dynamic_pad or (height, width) == (grid[0] * patch, grid[1] * patch)):
                return grid
        size, of = ", ".join(map(str, self.image_size)), ""
        if tokens.dynamic:
            size, of = "height, width", "" if tokens.dynamic_pad else f" in multiples of {patch}"
        raise ConfigError(
            f"images have shape {tuple(shape)}; this model takes (batch, {self.in_chans}, {size}){of}",
            hint="resize the images, or create the model with img_size and in_chans to match, or with dynamic=True",
        )


class _Draft(ViTConfig):
    """Be a config whose fields do not agree with each other yet."""

    def __post_init__(self) -> None:
        pass
