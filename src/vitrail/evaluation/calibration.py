"""Make probabilities mean what they say: a temperature and an exponent, fitted on validation images."""

from __future__ import annotations

import math

import numpy as np
import torch

from vitrail.evaluation.metrics import Labels, Logits, softmax
from vitrail.weights.calibration import Calibration

LOWEST, HIGHEST = 0.05, 20.0
FLATTEST, STEEPEST = 0.2, 5.0
TINY = 1e-9
"""A gap of 0 counts as this while searching: its power has no derivative."""
MOST_STEPS = 100


def negative_log_likelihood(logits: Logits, labels: Labels, temperature: float = 1.0, exponent: float = 1.0) -> float:
    """Compute how surprising the labels are.

    Args:
        logits: (n, classes).
        labels: (n,).
        temperature: see `Calibration`.
        exponent: see `Calibration`.

    Returns:
        The mean over images, in nats.
    """
    probabilities = softmax(Calibration(temperature, exponent).apply(logits))
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-300)).mean())


def fit_calibration(logits: Logits, labels: Labels) -> Calibration:
    """Find the temperature and the exponent under which the labels are least surprising.

    Args:
        logits: (n, classes) of images that were not trained on, n ≥ 1.
        labels: (n,).

    Returns:
        A temperature of 0.05 … 20, and an exponent of 0.2 … 5; each is 1 where another does not help. An exponent has
        to earn more than the half log of the number of images in log-likelihood, so that few images have none.

    Source:
        The temperature: Guo et al. 2017 (arXiv 1706.04599), section 4.2. The exponent is ours, one of the maps that
        keep the order, as in Rahimi et al. 2020 (arXiv 2003.06820); what it has to earn is Schwarz's criterion (1978).
    """
    alone = fit_temperature(logits, labels)
    gaps = torch.from_numpy((logits.max(axis=1, keepdims=True) - logits).astype(np.float64)).clamp_min(TINY)
    targets = torch.from_numpy(labels)
    place = torch.tensor([math.log(alone), 0.0], dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([place], max_iter=MOST_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        temperature, exponent = place.exp()
        value = torch.nn.functional.cross_entropy(-((gaps / temperature) ** exponent), targets)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    with torch.enable_grad():
        search.step(loss)  # type: ignore[no-untyped-call]
    temperature, exponent = place.exp().tolist()
    if not (LOWEST < temperature < HIGHEST and FLATTEST < exponent < STEEPEST):
        return Calibration(alone)
    before = negative_log_likelihood(logits, labels, alone)
    gain = before - negative_log_likelihood(logits, labels, temperature, exponent)
    return Calibration(temperature, exponent) if gain * len(labels) > math.log(len(labels)) / 2 else Calibration(alone)


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
