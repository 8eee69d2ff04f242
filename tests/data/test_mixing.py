"""Mixup, cutmix and label smoothing: targets say exactly what the pixels are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from vitrail.core.errors import ConfigError
from vitrail.data.mixing import MixConfig, mix_batch

LABELS = torch.tensor([0, 1, 2, 3, 4, 5])


def constant_images(batch: int = 6, height: int = 12, width: int = 8) -> Tensor:
    """Image i is i everywhere, so that pixels say where they come from."""
    return torch.arange(batch, dtype=torch.float32)[:, None, None, None].expand(batch, 3, height, width).clone()


def mix(
    config: MixConfig, seed: int = 0, epoch: int = 0, step: int = 0, size: tuple[int, int] = (12, 8)
) -> tuple[Tensor, Tensor]:
    return mix_batch(config, constant_images(6, *size), LABELS, 6, seed, epoch, step)


def test_by_default_nothing_is_mixed() -> None:
    images = constant_images()
    mixed, targets = mix_batch(MixConfig(), images, LABELS, 7, 0, 0, 0)

    assert torch.equal(mixed, images)
    assert torch.equal(targets, torch.eye(7)[LABELS]) and targets.dtype == torch.float32


def test_label_smoothing() -> None:
    """Probability 1 − s + s/K for the label and s/K for the others, as in torch's own cross-entropy."""
    targets = mix(MixConfig(label_smoothing=0.3))[1]
    expected = torch.full((6, 6), 0.3 / 6) + 0.7 * torch.eye(6)
    assert torch.allclose(targets, expected)

    logits = torch.randn(6, 6)
    ours = torch.nn.functional.cross_entropy(logits, targets)
    assert torch.allclose(ours, torch.nn.functional.cross_entropy(logits, LABELS, label_smoothing=0.3))


@given(
    mixup=st.floats(0, 4),
    cutmix=st.floats(0, 4),
    probability=st.floats(0, 1),
    smoothing=st.floats(0, 0.9),
    step=st.integers(0, 50),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_targets_are_what_the_pixels_are_made_of(
    mixup: float, cutmix: float, probability: float, smoothing: float, step: int, size: tuple[int, int]
) -> None:
    """With images constant at their own number, the mean over pixels is the mean of numbers under the targets."""
    config = MixConfig(mixup, cutmix, probability, smoothing)
    images, targets = mix(config, step=step, size=size)

    assert torch.allclose(targets.sum(dim=1), torch.ones(6), atol=1e-6) and targets.min() >= 0
    plain = (targets - smoothing / 6) / (1 - smoothing)
    assert torch.allclose(images.mean(dim=(1, 2, 3)), (plain * torch.arange(6)).sum(dim=1), atol=1e-4)
    assert (plain > 1e-4).sum(dim=1).max() <= 2


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_probability(kind: str) -> None:
    images = constant_images()
    never = MixConfig(**{kind: 1.0}, probability=0.0)
    assert all(torch.equal(mix(never, step=step)[0], images) for step in range(50))

    half = MixConfig(**{kind: 1.0}, probability=0.5)
    mixed = [not torch.equal(mix(half, step=step)[1], torch.eye(6)) for step in range(400)]
    assert abs(np.mean(mixed) - 0.5) < 4 * (0.25 / 400) ** 0.5

    always = MixConfig(**{kind: 1.0})
    assert np.mean([torch.equal(mix(always, step=step)[1], torch.eye(6)) for step in range(100)]) < 0.1


def is_cut(images: Tensor) -> bool:
    """Whether every pixel is of one image alone."""
    return bool((images == images.round()).all())


def test_both_kinds_take_half_each() -> None:
    config = MixConfig(mixup=1.0, cutmix=1.0)
    cut = [is_cut(mix(config, step=step, size=(12, 12))[0]) for step in range(400)]

    assert abs(np.mean(cut) - 0.5) < 4 * (0.25 / 400) ** 0.5
    assert all(is_cut(mix(MixConfig(cutmix=1.0), step=step)[0]) for step in range(50))


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_mixups_weights_are_beta(alpha: float) -> None:
    """Each image has a weight of its own: P(weight ≤ x) is that of Beta(α, α)."""
    weights = []
    for step in range(300):
        images, targets = mix(MixConfig(mixup=alpha), step=step)
        moved = [one for one in range(6) if (targets[one] > 0).sum() == 2]
        weights += [1 - float(targets[one, one]) for one in moved]
        assert torch.allclose(images[:, 0, 0, 0], (targets * torch.arange(6)).sum(dim=1), atol=1e-5)

    assert len(weights) > 1000
    assert stats.kstest(weights, stats.beta(alpha, alpha).cdf).pvalue > 1e-4


def test_cutmix_is_one_rectangle_of_the_images_shape() -> None:
    """The same for the whole batch; where it is not cut off at the edge its sides have the image's aspect."""
    shares = []
    for step in range(200):
        images, targets = mix(MixConfig(cutmix=1.0), step=step, size=(60, 40))
        moved = [one for one in range(6) if (images[one] != one).any()]
        for one in moved:
            hole = (images[one] != one).all(dim=0)
            rows, columns = hole.any(dim=1).nonzero()[:, 0], hole.any(dim=0).nonzero()[:, 0]
            height, width = int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
            assert hole.sum() == height * width, "a rectangle"
            assert len(images[one][:, hole].unique()) == 1, "of one other image"
            assert float(targets[one, one]) == pytest.approx(1 - height * width / 2400, abs=1e-6)
            if rows[0] > 0 and columns[0] > 0 and rows[-1] < 59 and columns[-1] < 39:
                assert abs(height / 60 - width / 40) < 1 / 60 + 1 / 40
        if moved:
            assert len({float(targets[one, one]) for one in moved}) == 1
            shares.append(1 - float(targets[moved[0], moved[0]]))

    # Of a side s about a centre anywhere, s − s²/4 lies within; the area s² is even: E (s − s²/4)² = 1/2 − 1/5 + 1/48.
    assert abs(np.mean(shares) - 0.3208) < 4 * np.std(shares) / len(shares) ** 0.5
    assert np.std(shares) < 0.3


def test_mixing_is_a_function_of_seed_epoch_and_step() -> None:
    config = MixConfig(mixup=0.3, cutmix=1.0, probability=0.9)
    torch.manual_seed(1)
    first = mix(config, 3, 4, 5)
    torch.manual_seed(2)
    np.random.seed(3)  # noqa: NPY002
    again = mix(config, 3, 4, 5)
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])

    others = [mix(config, *numbers)[1] for numbers in ((4, 4, 5), (3, 5, 5), (3, 4, 6), (3, 5, 4))]
    assert all(not torch.equal(first[1], other) for other in others)


def test_images_that_go_in_are_not_changed() -> None:
    for config in (MixConfig(mixup=1.0), MixConfig(cutmix=1.0)):
        images = constant_images()
        mix_batch(config, images, LABELS, 6, 0, 0, 0)
        assert torch.equal(images, constant_images())


@pytest.mark.parametrize("config", [MixConfig(mixup=1.0), MixConfig(cutmix=1.0)])
def test_a_single_image_is_mixed_with_itself(config: MixConfig) -> None:
    image = torch.rand(1, 3, 5, 5)
    mixed, targets = mix_batch(config, image, torch.tensor([2]), 4, 0, 0, 0)
    assert torch.equal(mixed, image) and targets.tolist() == [[0, 0, 1, 0]]


@pytest.mark.parametrize(
    ("field", "value"),
    [("mixup", -0.1), ("cutmix", -1.0), ("probability", 1.1), ("probability", -0.1), ("label_smoothing", 1.0)],
)
def test_values_out_of_range(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=field):
        MixConfig(**{field: value})
