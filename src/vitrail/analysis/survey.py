"""What a model does with many images, layer by layer: one pass, one block's attention in memory at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vitrail.analysis.cka import LEAST, LinearCKA, gram
from vitrail.analysis.distance import attention_distance
from vitrail.analysis.entropy import attention_entropy
from vitrail.analysis.maps import require_attention
from vitrail.analysis.norms import token_norms
from vitrail.analysis.similarity import token_similarity
from vitrail.analysis.weights import entering_tokens, walk
from vitrail.core.errors import ConfigError
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.nn.shapes import Images


@dataclass(frozen=True)
class Findings:
    """Hold the figures of a survey, all float64. Depth 0 is what enters the first block.

    Args:
        images: how many were looked at.
        distance: (layers, heads) attention distance, pixels.
        entropy: (layers, heads) attention entropy, nats.
        spread: (layers, heads) the same as part of the largest that there is, 0 … 1.
        similarity: (depths,) token similarity; NaN for images of one patch.
        cka: (depths, depths) linear CKA; None if no 4 images of one size came together.
        cka_images: on how many images.
        norms: of each image, (rows, columns): norms of the patches that leave the last block.
    """

    images: int
    distance: Float[Tensor, "layers heads"]
    entropy: Float[Tensor, "layers heads"]
    spread: Float[Tensor, "layers heads"]
    similarity: Float[Tensor, " depths"]
    cka: Float[Tensor, "depths depths"] | None
    cka_images: int
    norms: tuple[Float[Tensor, "rows columns"], ...]


class Survey:
    """Look at what a model does with images, batch by batch. Only sums are kept, and a number for each patch.

    Args:
        model: any Vision Transformer of the library.
        renormalise: as for `attention_distance`.

    Raises:
        ConfigError: if the model has no attention.
    """

    def __init__(self, model: VisionTransformer, renormalise: bool = False) -> None:
        require_attention(model)
        self.model, self.renormalise = model, renormalise
        depth, heads = model.config.depth, model.config.block.num_heads
        self.distance, self.entropy, self.spread = torch.zeros(3, depth, heads, dtype=torch.float64)
        self.similarity = torch.zeros(depth + 1, dtype=torch.float64)
        self.cka = LinearCKA(depth + 1)
        self.norms: list[Tensor] = []

    def add(self, images: Images) -> None:
        """Look at one batch.

        Args:
            images: normalised pixels, of a size that the model takes, on its device. Fewer than 4 do not count for CKA.

        Raises:
            ConfigError: if the images have a shape that the model does not take.
        """
        config = self.model.config
        grid, prefix = config.grid_of(images.shape), config.tokens.count
        tokens = entering_tokens(self.model, images)
        most = math.log(tokens.shape[1]) or 1.0
        grams = [gram(tokens)]
        self.similarity[0] += token_similarity(tokens, prefix).sum()
        for number, layer in enumerate(walk(self.model, tokens, grid)):
            for weights in torch.split(layer.weights.expand(len(images), -1, -1, -1), 1):
                self.distance[number] += attention_distance(weights, grid, config.patch_size, self.renormalise)
                entropy = attention_entropy(weights)
                self.entropy[number] += entropy
                self.spread[number] += entropy / most
            tokens = layer.tokens
            grams.append(gram(tokens))
            self.similarity[number + 1] += token_similarity(tokens, prefix).sum()
        self.norms += token_norms(tokens, prefix).reshape(-1, *grid).unbind(0)
        if len(images) >= LEAST:
            self.cka.add(grams)

    def findings(self) -> Findings:
        """Give the figures of all images so far.

        Returns:
            Means over the images.

        Raises:
            ConfigError: if there was none.
        """
        count = len(self.norms)
        if not count:
            raise ConfigError("no image was looked at", hint="give one or more")
        return Findings(
            images=count,
            distance=self.distance / count,
            entropy=self.entropy / count,
            spread=self.spread / count,
            similarity=self.similarity / count,
            cka=self.cka.result() if self.cka.minibatches else None,
            cka_images=self.cka.images,
            norms=tuple(self.norms),
        )
