"""The loss against its formula."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vitrail.train.objective import classification_loss


def by_hand(logits: torch.Tensor, targets: torch.Tensor) -> float:
    """−Σ p·log q, the mean over the batch, in float64."""
    values = logits.double().numpy()
    log_q = values - np.log(np.exp(values).sum(axis=1, keepdims=True))
    return float(-(targets.double().numpy() * log_q).sum(axis=1).mean())


TARGETS = torch.softmax(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
OTHERS = torch.randn(6, 4, generator=torch.Generator().manual_seed(2))


def test_cross_entropy_with_probabilities() -> None:
    assert float(classification_loss(LOGITS, TARGETS)) == pytest.approx(by_hand(LOGITS, TARGETS), rel=1e-6)


def test_two_heads_count_alike() -> None:
    expected = (by_hand(LOGITS, TARGETS) + by_hand(OTHERS, TARGETS)) / 2
    assert float(classification_loss((LOGITS, OTHERS), TARGETS)) == pytest.approx(expected, rel=1e-6)


def test_half_precision_is_summed_in_float32() -> None:
    loss = classification_loss(LOGITS.bfloat16(), TARGETS)
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(by_hand(LOGITS.bfloat16(), TARGETS), rel=1e-6)


def test_a_zero_head_has_the_loss_of_a_guess() -> None:
    """ln 10 = 2.302585, ln 1000 = 6.907755."""
    for classes, expected in ((10, 2.302585), (1000, 6.907755)):
        targets = torch.eye(classes)[:7]
        assert float(classification_loss(torch.zeros(7, classes), targets)) == pytest.approx(expected, abs=1e-5)
