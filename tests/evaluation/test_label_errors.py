"""Doubted labels: those that were swapped come first."""

from __future__ import annotations

import numpy as np
import pytest

from vitrail.evaluation.label_errors import doubt_labels, held_out_probabilities


@pytest.fixture
def swapped():
    """Give features of four overlapping classes, their labels, and which of these were swapped."""
    random = np.random.default_rng(0)
    y = np.repeat(np.arange(4), 100)
    x = random.normal(0, 1, (400, 12)).astype(np.float32) + 4 * np.eye(4, 12, dtype=np.float32)[y]
    wrong = random.permutation(400)[:20]
    labels = y.copy()
    labels[wrong] = (y[wrong] + random.integers(1, 4, 20)) % 4
    return x, labels, y, wrong


def test_swapped_labels_are_doubted_most_and_the_right_class_is_suggested(swapped):
    x, labels, truth, wrong = swapped
    found = doubt_labels(x, labels, 4)
    first = np.argsort(-found.doubt)[:40]
    assert np.isin(wrong, first).mean() >= 0.9
    assert (found.suggested[wrong] == truth[wrong]).mean() >= 0.9
    assert found.suspect[wrong].mean() >= 0.8
    assert found.suspect.sum() <= 50
    assert (found.suggested != labels).all()
    assert found.doubt[found.suspect].min() > 0


def test_right_labels_of_well_parted_classes_are_not_suspect():
    random = np.random.default_rng(1)
    y = np.repeat(np.arange(3), 30)
    x = random.normal(0, 0.1, (90, 5)).astype(np.float32) + 3 * np.eye(3, 5, dtype=np.float32)[y]
    assert not doubt_labels(x, y, 3).suspect.any()


def test_no_label_votes_for_itself():
    x = np.eye(30, dtype=np.float32)  # no image says anything of another: only its own label could give it away
    y = np.arange(30) % 2
    probabilities = held_out_probabilities(x, y, 2, seed=0)
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert (probabilities.argmax(axis=1) == y).mean() < 0.8


def test_classes_of_one_image_and_classes_without_are_taken():
    random = np.random.default_rng(2)
    y = np.array([0] * 8 + [1] * 8 + [3])
    found = doubt_labels(random.normal(0, 1, (17, 4)).astype(np.float32), y, 5)
    assert np.isfinite(found.doubt).all()
    tiny = doubt_labels(random.normal(0, 1, (2, 4)).astype(np.float32), np.array([0, 1]), 2)
    assert np.isfinite(tiny.doubt).all()


def test_the_same_seed_gives_the_same_doubts(swapped):
    x, labels, _, _ = swapped
    assert np.array_equal(doubt_labels(x, labels, 4, seed=3).doubt, doubt_labels(x, labels, 4, seed=3).doubt)
