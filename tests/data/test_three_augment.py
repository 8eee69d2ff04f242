"""3-Augment against Pillow, and each image on its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from scipy.ndimage import gaussian_filter1d

from vitrail.core.errors import ConfigError
from vitrail.data.augment import Augment, AugmentConfig
from vitrail.data.dataset import Traits
from vitrail.data.three_augment import three_augment

PIXELS = np.random.default_rng(0).integers(0, 256, (4, 20, 16, 3), dtype=np.uint8)
IMAGES = torch.from_numpy(PIXELS).permute(0, 3, 1, 2).float() / 255


def drawn(kind: int, strength: float = 0.5, count: int = 4) -> np.ndarray:
    return np.array([[(kind + 0.5) / 3, strength]] * count)


def levels(images: torch.Tensor) -> np.ndarray:
    return (images * 255).round().permute(0, 2, 3, 1).byte().numpy().astype(int)


def test_grey_and_solarized_are_pillows() -> None:
    grey = np.stack([np.asarray(Image.fromarray(one).convert("L").convert("RGB")) for one in PIXELS])
    assert np.abs(levels(three_augment(IMAGES, drawn(0))) - grey).max() <= 1, "rounding"
    solarized = np.stack([np.asarray(ImageOps.solarize(Image.fromarray(one))) for one in PIXELS])
    assert np.array_equal(levels(three_augment(IMAGES, drawn(1))), solarized)


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_a_blur_is_gaussian(strength: float) -> None:
    sigma = 0.1 + 1.9 * strength
    expected = IMAGES.double().numpy()
    for axis in (2, 3):
        expected = gaussian_filter1d(expected, sigma, axis=axis, mode="nearest", radius=6)
    ours = three_augment(IMAGES, drawn(2, strength))
    assert np.allclose(ours.numpy(), expected, atol=1e-6)


def test_each_image_is_varied_on_its_own() -> None:
    numbers = np.random.default_rng(1).random((4, 2))
    together = three_augment(IMAGES, numbers)
    for index in range(4):
        assert torch.equal(together[index : index + 1], three_augment(IMAGES[index : index + 1], numbers[index, None]))


def test_all_three_are_drawn_alike() -> None:
    config = AugmentConfig(three_augment=True)
    numbers = np.random.default_rng(2).random((300, config.draws))
    kinds = np.bincount((numbers[:, config.first_of_colors] * 3).astype(int))
    assert kinds.min() > 70
    varied = Augment(config, Traits(), (20, 16))(torch.from_numpy(PIXELS), numbers[:4])
    assert torch.equal(varied, three_augment(IMAGES, numbers[:4, config.first_of_colors :]))


def test_saturation_blends_with_grey() -> None:
    config = AugmentConfig(saturation=0.4)
    numbers = np.full((4, config.draws), 0.5)
    numbers[:, config.first_of_colors + 2] = 0.0
    varied = Augment(config, Traits(), (20, 16))(torch.from_numpy(PIXELS), numbers)
    grey = (IMAGES * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)
    assert torch.allclose(varied, grey + 0.6 * (IMAGES - grey), atol=1e-6)
    with pytest.raises(ConfigError, match="saturation"):
        AugmentConfig(saturation=1.0)
