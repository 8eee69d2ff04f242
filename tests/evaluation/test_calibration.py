"""Calibration: recovers what was planted, never makes validation worse, changes no answer."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from vitrail.evaluation.calibration import fit_calibration, fit_temperature, negative_log_likelihood
from vitrail.evaluation.metrics import expected_calibration_error, softmax
from vitrail.weights.calibration import Calibration


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


def bent(exponent: float, n: int = 20_000):
    """Draw labels from the softmax of logits, then bend the gaps between logits as a calibration undoes it."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (n, 5)).astype(np.float32)
    cumulative = softmax(logits).cumsum(axis=1)
    labels = (random.random((n, 1)) > cumulative[:, :-1]).sum(axis=1)
    return -((logits.max(axis=1, keepdims=True) - logits) ** np.float32(1 / exponent)), labels


@pytest.mark.parametrize("exponent", [0.5, 1.4])
def test_a_planted_exponent_is_found_where_a_temperature_is_not_enough(exponent):
    logits, labels = bent(exponent)
    found = fit_calibration(logits, labels)
    assert (found.temperature**found.exponent, found.exponent) == pytest.approx((1, exponent), rel=0.05)
    noise = 15 * np.sqrt(len(labels) / 15 * 0.25) / len(labels)
    assert expected_calibration_error(softmax(found.apply(logits)), labels) < noise
    alone = Calibration(fit_temperature(logits, labels))
    assert expected_calibration_error(softmax(alone.apply(logits)), labels) > noise


def test_both_numbers_are_the_minimum_that_scipy_finds():
    logits, labels = bent(0.5, 2_000)
    best = minimize(lambda logs: negative_log_likelihood(logits, labels, *np.exp(logs)), [0, 0], method="Nelder-Mead")
    found = fit_calibration(logits, labels)
    assert np.log([found.temperature, found.exponent]) == pytest.approx(best.x, abs=2e-3)


def test_no_answer_changes():
    logits = np.random.default_rng(1).normal(0, 3, (200, 6)).astype(np.float32)
    assert np.array_equal(np.argsort(Calibration(0.7, 0.4).apply(logits)), np.argsort(logits))


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_an_exponent_that_earns_nothing_is_left_out(temperature):
    logits, labels = planted(temperature, 300)
    assert fit_calibration(logits, labels) == Calibration(fit_temperature(logits, labels))


def test_a_temperature_alone_divides_as_ever():
    logits = np.random.default_rng(2).normal(0, 3, (20, 6)).astype(np.float32)
    assert np.array_equal(Calibration(0.7).apply(logits), logits / np.float32(0.7))


@pytest.mark.parametrize("labels", [np.arange(30) % 3, np.zeros(30, dtype=np.int64)])
def test_perfect_and_constant_answers_are_calibrated_without_nan(labels):
    found = fit_calibration(np.eye(3, dtype=np.float32)[labels] * 5, labels)
    assert np.isfinite([found.temperature, found.exponent]).all()
