"""The Vision Transformer, top to bottom, in the paper's order."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn

from vitrail.models.config import ViTConfig
from vitrail.nn.block import Block
from vitrail.nn.init import init_weights
from vitrail.nn.padding import pad_to
from vitrail.nn.position import Layout
from vitrail.nn.shapes import Images, Logits, Tokens


class VisionTransformer(nn.Module):
    """Classify an image by attention between its patches.

    The names of parameters are timm's wherever timm has the thing, so its weights load with `strict=True`.

    Args:
        config: what kind of Vision Transformer.

    Source:
        Dosovitskiy et al. 2020, "An Image is Worth 16x16 Words" (arXiv 2010.11929), section 3.1.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.config = config
        dim, tokens = config.embed_dim, config.tokens

        self.stem, self.patch_embed = config.stem.build_with_patch_embed(
            config.in_chans, dim, config.patch_size, tokens.patch_bias
        )

        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim)) if tokens.class_token else None
        self.dist_token = nn.Parameter(torch.zeros(1, 1, dim)) if tokens.distilled else None
        self.reg_token = nn.Parameter(torch.zeros(1, tokens.registers, dim)) if tokens.registers else None
        layout = Layout(dim, config.block.num_heads, config.depth, config.grid, tokens.count, tokens.registers)
        self.position = config.position.build(layout)
        self.pos_embed = self.position.table()
        self.pos_drop = nn.Dropout(config.drop.drop_rate)
        self.norm_pre = config.block.norm.build(dim) if tokens.pre_norm else nn.Identity()

        last = max(1, config.depth - 1)
        rates = [config.drop.drop_path_rate * index / last for index in range(config.depth)]
        self.blocks = nn.ModuleList(Block(dim, config.block, config.drop, rate) for rate in rates)

        after = config.pool.norm_after
        self.norm = nn.Identity() if after else config.block.norm.build(dim)
        self.attn_pool = config.pool.build(dim, config.block)  # timm's name, whether attention or not
        self.fc_norm = config.block.norm.build(dim) if after else nn.Identity()

        self.pre_logits: nn.Module = nn.Identity()
        if config.representation_size is not None:
            fc = nn.Linear(dim, config.representation_size)
            self.pre_logits = nn.Sequential(OrderedDict(fc=fc, act=nn.Tanh()))
        self.head = self._make_head()
        self.head_dist = self._make_head() if tokens.distilled else None
        init_weights(self, config.init)

    def _make_head(self) -> nn.Module:
        width = self.config.representation_size or self.config.embed_dim
        return nn.Linear(width, self.config.num_classes) if self.config.num_classes else nn.Identity()

    def embed(self, images: Images) -> Tokens:
        """Turn images into the sequence that enters the encoder: equation 1.

        Args:
            images: normalised pixels, of the config's size.

        Returns:
            Tokens with their positions, float.

        Raises:
            ConfigError: if the model does not take images of this shape.
        """
        grid = self.config.grid_of(images.shape)
        if self.config.tokens.dynamic_pad:
            images = pad_to(images, grid, self.config.patch_size)
        x = self.patch_embed(self.stem(images))
        prefix = [token for token in (self.cls_token, self.dist_token, self.reg_token) if token is not None]
        x = torch.cat([*(token.expand(x.shape[0], -1, -1) for token in prefix), x], dim=1)
        return self.norm_pre(self.pos_drop(self.position.add(x, self.pos_embed, grid)))

    def forward_features(self, images: Images) -> Tokens:
        """Encode images: equations 1 to 4, up to the final normalisation.

        Args:
            images: normalised pixels, of the config's size.

        Returns:
            Every token; not yet normalised if the pooling normalises after itself.
        """
        x, grid = self.embed(images), self.config.grid_of(images.shape)
        for block, position in zip(self.blocks, self.position.by_layer, strict=True):
            x = block(x, position, grid)
        return self.norm(x)

    def forward_head(self, tokens: Tokens) -> Logits | tuple[Logits, Logits]:
        """Turn encoded tokens into logits, or into features if there are no classes.

        Args:
            tokens: what `forward_features` gives.

        Returns:
            Logits. A distilled model gives those of both heads while training, their mean otherwise.
        """
        out = self.head(self.pre_logits(self.fc_norm(self.attn_pool(tokens, self.config.tokens.count))))
        if self.head_dist is None:
            return out
        distilled = self.head_dist(tokens[:, 1])
        return (out, distilled) if self.training else (out + distilled) / 2

    def forward(self, images: Images) -> Logits | tuple[Logits, Logits]:
        """Classify images.

        Args:
            images: normalised pixels, of the config's size.

        Returns:
            Logits, as `forward_head` gives them.
        """
        return self.forward_head(self.forward_features(images))
