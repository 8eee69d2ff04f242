"""The loss against its formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from vitrail.train.objective import Classification, bias_heads, classification_loss
from vitrail.train.recipe import ObjectiveConfig


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


COUNTS = [1, 3, 4, 8]
SHARE = torch.tensor(COUNTS) / 16


def test_classes_weigh_by_their_number() -> None:
    """With power 1, a class weighs n ÷ (classes · images of it), which is 1 on average over the images."""
    weights = 16 / (4 * torch.tensor(COUNTS, dtype=torch.float64))
    log_q = torch.log_softmax(LOGITS.double(), dim=1)
    expected = -(TARGETS.double() * weights * log_q).sum(dim=1).mean()
    config = ObjectiveConfig(class_weights=1.0)
    assert float(Classification(config, COUNTS)(LOGITS, TARGETS)) == pytest.approx(float(expected), rel=1e-6)
    assert Classification(config, [5, 5, 5, 5]).weights.tolist() == pytest.approx([1] * 4)  # type: ignore[union-attr]


def test_logits_are_adjusted_by_frequency() -> None:
    """Menon et al., equation 10: −log softmax(f + τ · log π)."""
    loss = Classification(ObjectiveConfig(logit_adjustment=0.5), COUNTS)
    assert float(loss(LOGITS, TARGETS)) == pytest.approx(by_hand(LOGITS + 0.5 * SHARE.log(), TARGETS), rel=1e-5)


def test_an_adjusted_optimum_judges_as_if_classes_were_equally_frequent() -> None:
    """The loss is smallest where softmax(f) is proportional to p(y | x) ÷ π."""
    posterior = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    loss = Classification(ObjectiveConfig(logit_adjustment=1.0), COUNTS)
    best = (posterior / SHARE).log()
    at_best = float(loss(best, posterior))
    assert at_best == pytest.approx(by_hand(posterior.log(), posterior), rel=1e-5), "the entropy: nothing is lower"
    assert all(float(loss(best + 0.1 * torch.randn(1, 4), posterior)) > at_best for _ in range(5))


def test_a_yes_or_no_for_each_class() -> None:
    """Summed over classes as in big_vision's `sigmoid_xent`; the mean over thresholded targets as in DeiT III."""
    p = torch.sigmoid(LOGITS.double())
    terms = -(TARGETS * p.log() + (1 - TARGETS) * (1 - p).log())
    assert float(Classification(ObjectiveConfig("sigmoid"))(LOGITS, TARGETS)) == pytest.approx(
        float(terms.sum(dim=1).mean()), rel=1e-6
    )
    mixed = torch.tensor([[0.3, 0.7, 0, 0], [0, 0, 1, 0]]).float()
    hard = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0]]).double()
    q = torch.sigmoid(LOGITS[:2].double())
    assert float(Classification(ObjectiveConfig("binary"))(LOGITS[:2], mixed)) == pytest.approx(
        float(-(hard * q.log() + (1 - hard) * (1 - q).log()).mean()), rel=1e-6
    )


def test_a_class_without_images_is_no_infinity() -> None:
    loss = Classification(ObjectiveConfig(class_weights=1, logit_adjustment=1), [0, 3, 4, 9])
    assert torch.isfinite(loss(LOGITS, TARGETS))


def test_heads_begin_with_their_bias() -> None:
    """With −ln(classes − 1), a sigmoid of a zero head says 1 ÷ classes for each."""
    model = nn.ModuleDict({"head": nn.Linear(2, 4), "head_dist": nn.Linear(2, 4), "fc": nn.Linear(2, 4)})
    before = model["fc"].bias.clone()
    bias_heads(model, -math.log(3))
    assert torch.sigmoid(model["head"].bias).tolist() == pytest.approx([0.25] * 4)
    assert model["head_dist"].bias.equal(model["head"].bias) and model["fc"].bias.equal(before)
