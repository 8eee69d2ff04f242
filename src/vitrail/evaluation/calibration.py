"""Make probabilities mean what they say: one temperature, fitted on validation images."""

from __future__ import annotations

import math

import numpy as np

from vitrail.evaluation.metrics import Labels, Logits, softmax

LOWEST, HIGHEST = 0.05, 20.0


def negative_log_likelihood(logits: Logits, labels: Labels, temperature: float = 1.0) -> float:
    """Compute how surprising the labels are.

    Args:
        logits: (n, classes).
        labels: (n,).
        temperature: logits are divided by it, greater than 0.

    Returns:
        The mean over images, in nats.
    """
    probabilities = softmax(logits / np.float32(temperature))
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-300)).mean())


def fit_temperature(logits: Logits, labels: Labels) -> float:
    """Find the temperature under which the labels are least surprising.

    Args:
        logits: (n, classes) of images that were not trained on, n ≥ 1.
        labels: (n,).

    Returns:
        0.05 … 20; 1 if nothing is better.

    Source:
        Guo et al. 2017 (arXiv 1706.04599), section 4.2. The likelihood has one minimum; golden-section search finds it.
    """
    golden = (math.sqrt(5) - 1) / 2
    low, high = math.log(LOWEST), math.log(HIGHEST)
    for _ in range(48):
        span = golden * (high - low)
        left, right = high - span, low + span
        if negative_log_likelihood(logits, labels, math.exp(left)) < negative_log_likelihood(
            logits, labels, math.exp(right)
        ):
            high = right
        else:
            low = left
    best = math.exp((low + high) / 2)
    gain = negative_log_likelihood(logits, labels) - negative_log_likelihood(logits, labels, best)
    return best if gain > 1e-9 else 1.0
