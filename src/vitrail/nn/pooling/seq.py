"""The mean of the patches, weighted by a learned score of each: the sequence pooling of Compact Transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from vitrail.nn.block_config import BlockConfig
from vitrail.nn.pooling.base import PoolConfig
from vitrail.nn.shapes import Tokens, Vectors


class SeqPool(nn.Module):
    """Take the mean of the patches, weighted by the softmax of one number that a dense layer makes of each.

    Args:
        dim: width of a token.

    Source:
        Hassani et al. 2021 (arXiv 2104.05704), section 3.2.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(dim, 1)

    def forward(self, tokens: Tokens, prefix_tokens: int) -> Vectors:
        return (self.weights(tokens, prefix_tokens).unsqueeze(1) @ tokens[:, prefix_tokens:]).squeeze(1)

    def weights(self, tokens: Tokens, prefix_tokens: int) -> Float[Tensor, "batch patches"]:
        """Weigh the patches.

        Args:
            tokens: prefix and patches.
            prefix_tokens: how many tokens stand before the patches, which do not count.

        Returns:
            Weights that sum to 1.
        """
        return self.fc(tokens[:, prefix_tokens:]).squeeze(2).softmax(dim=1)


@dataclass(frozen=True)
class SeqPoolConfig(PoolConfig):
    """Choose sequence pooling.

    Args:
        norm_after: normalise what comes out rather than the tokens that go in; Compact Transformers do not.

    Source:
        Hassani et al. 2021 (arXiv 2104.05704).
    """

    kind: ClassVar[str] = "seq"
    reader: ClassVar[str] = "all patches, as the pooling weighs them"

    def build(self, dim: int, block: BlockConfig) -> nn.Module:
        """Build the module."""
        return SeqPool(dim)

    def reads(self, pool: nn.Module, tokens: Tokens, prefix_tokens: int) -> Float[Tensor, "batch tokens"]:
        """Give the pooling's own weights."""
        return pad(cast(SeqPool, pool).weights(tokens, prefix_tokens), (prefix_tokens, 0))
