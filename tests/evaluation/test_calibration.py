"""The temperature: recovers what was planted, never makes validation worse, changes no answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from vitrail.evaluation.calibration import fit_temperature, negative_log_likelihood
from vitrail.evaluation.metrics import expected_calibration_error, softmax


def planted(temperature: float, n: int = 20_000):
    """Draw labels from the softmax of logits, then scale the logits."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (n, 5)).astype(np.float32)
    cumulative = softmax(logits).cumsum(axis=1)
    labels = (random.random((n, 1)) > cumulative[:, :-1]).sum(axis=1)
    return logits * np.float32(temperature), labels


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_planted_temperature_is_found(temperature):
    logits, labels = planted(temperature)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.03)
    noise = 15 * np.sqrt(len(labels) / 15 * 0.25) / len(labels)  # of 15 bins, were calibration perfect
    assert expected_calibration_error(softmax(logits / np.float32(found)), labels) < noise
    if temperature != 1:
        assert expected_calibration_error(softmax(logits), labels) > 4 * noise


@pytest.mark.parametrize("temperature", [0.3, 2.5])
def test_it_is_the_minimum_that_scipy_finds(temperature):
    logits, labels = planted(temperature, 500)
    best = minimize_scalar(
        lambda log: negative_log_likelihood(logits, labels, np.exp(log)), bounds=(-3, 3), method="bounded"
    )
    assert np.log(fit_temperature(logits, labels)) == pytest.approx(best.x, abs=1e-3)


def test_a_perfect_classifier_becomes_surer_without_nan():
    labels = np.arange(30) % 3
    logits = np.eye(3, dtype=np.float32)[labels] * 5
    assert 0.05 <= fit_temperature(logits, labels) < 1
    assert np.isfinite(negative_log_likelihood(logits, labels, 0.05))


def test_chance_stays_as_it_is():
    logits = np.zeros((10, 4), dtype=np.float32)
    assert fit_temperature(logits, np.arange(10) % 4) == 1.0
