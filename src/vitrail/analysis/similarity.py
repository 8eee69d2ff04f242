"""Token similarity: how alike the patches of an image have become."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from vitrail.core.errors import ConfigError
from vitrail.nn.shapes import Tokens


def token_similarity(tokens: Tokens, prefix: int = 0) -> Float[Tensor, " images"]:
    """Average the cosine similarity between different patches of an image.

    Args:
        tokens: (images, tokens, dim) at one depth.
        prefix: how many of the first tokens are no patches, and are left out.

    Returns:
        (images,) float64, −1 … 1: mean over all pairs of two different patches; NaN for an image of one patch.

    Raises:
        ConfigError: if there is no patch.

    Source:
        Gong et al. 2021 (arXiv 2104.12753), equation 1: near 1, patches can no longer be told apart (oversmoothing).
    """
    patches = tokens[:, prefix:].to("cpu", torch.float64)
    count = patches.shape[1]
    if not count:
        raise ConfigError(f"prefix = {prefix} is not allowed with {tokens.shape[1]} tokens: no patch is left")
    towards = normalize(patches, dim=-1, eps=torch.finfo(torch.float64).tiny)
    # The mean over pairs in time linear in patches: the squared sum holds every pair twice, and each patch with itself.
    pairs = towards.sum(dim=1).square().sum(dim=-1) - towards.square().sum(dim=(1, 2))
    return pairs / (count * (count - 1)) if count > 1 else torch.full_like(pairs, torch.nan)
