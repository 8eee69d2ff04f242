"""High-norm tokens: patches that a model no longer uses for what they show."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vitrail.core.config import require
from vitrail.nn.shapes import Tokens

TIMES = 3.0
"""Norms above so many times the median are high."""


def token_norms(tokens: Tokens, prefix: int = 0) -> Float[Tensor, "images patches"]:
    """Measure how long the vectors of patches are.

    Args:
        tokens: (images, tokens, dim), as they leave the last block, before the final normalisation.
        prefix: how many of the first tokens are no patches, and are left out.

    Returns:
        (images, patches) float64, Euclidean norms.
    """
    return torch.linalg.vector_norm(tokens[:, prefix:].to("cpu", torch.float64), dim=-1)


def high_norm_tokens(norms: Float[Tensor, "*tokens"], times: float = TIMES) -> tuple[Bool[Tensor, "*tokens"], float]:
    """Find the artefacts among patches: those whose norm is far above what is usual.

    Args:
        norms: of the patches of many images, as `token_norms` gives them.
        times: how many times the median norm is too much, greater than 1.

    Returns:
        Which tokens are artefacts, of the norms' shape, and the threshold.

    Raises:
        ConfigError: for a number of times that is not greater than 1.

    Source:
        Darcet et al. 2023 (arXiv 2309.16588), section 2: in large models trained for long, about 2 % of the patches
        have norms several times those of the others, and hold facts of the whole image. Their threshold is a number
        read off a histogram, 150 for DINOv2-g; a multiple of the median needs nobody to read one.
    """
    require(times > 1, "times", times, "greater than 1")
    threshold = times * float(np.median(norms.numpy()))
    return norms > threshold, threshold
