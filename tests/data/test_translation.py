"""A batch made for one model, as another takes it: compared with what the other's own preprocessing gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from vitrail.core.errors import ConfigError
from vitrail.data.spec import IMAGENET_MEAN, IMAGENET_STD, ImageSpec, Interpolation
from vitrail.data.translation import MODES, Translation

OURS = ImageSpec((12, 16), mode="squash")
PHOTOS = [np.random.default_rng(seed).integers(60, 196, (12, 16, 3), dtype=np.uint8) for seed in range(3)]


def batch(spec: ImageSpec) -> Tensor:
    return torch.from_numpy(spec.normalise(np.stack([spec.pixels(Image.fromarray(photo)) for photo in PHOTOS])))


def test_nothing_to_do_is_nothing_done() -> None:
    images = batch(OURS)
    assert Translation(OURS, ImageSpec((12, 16), crop_fraction=0.9, interpolation="box"))(images) is images


def test_another_scale() -> None:
    other = ImageSpec((12, 16), IMAGENET_MEAN, IMAGENET_STD, mode="squash")
    assert torch.allclose(Translation(OURS, other)(batch(OURS)), batch(other), atol=1e-5)


@pytest.mark.parametrize(("channels", "others"), [(3, 1), (1, 3)])
def test_grey_is_shown_as_colour_and_colour_as_grey(channels: int, others: int) -> None:
    ours, other = OURS.for_channels(channels), ImageSpec((12, 16), (0.4,) * 3, (0.2,) * 3, mode="squash")
    wanted = other.for_channels(others)
    given = Translation(ours, wanted)(batch(ours))
    expected = batch(wanted) if others == 1 else batch(other.for_channels(1)).expand(-1, 3, -1, -1)
    assert given.shape == expected.shape
    assert (given - expected).abs().max() < 0.51 / 255 / 0.2, "Pillow rounds to one of 256 levels"


@pytest.mark.parametrize("interpolation", [name for name in MODES if name not in ("lanczos", "box")])
@pytest.mark.parametrize("size", [(24, 32), (7, 5)])
def test_another_size_is_resized_as_pillow_does(size: tuple[int, int], interpolation: Interpolation) -> None:
    """Up and down, without the other's crop: what was cut out is what the student sees."""
    other = ImageSpec(size, interpolation=interpolation, mode="squash")
    given = Translation(OURS, ImageSpec(size, interpolation=interpolation, crop_fraction=0.5))(batch(OURS))
    assert (given - batch(other)).abs().max() < 2.1 / 255 / 0.5, "Pillow rounds after each axis"


@pytest.mark.parametrize("interpolation", ["lanczos", "box"])
def test_filters_that_torch_lacks_have_the_nearest(interpolation: Interpolation) -> None:
    given = Translation(OURS, ImageSpec((6, 8), interpolation=interpolation))(batch(OURS))
    assert (given - batch(ImageSpec((6, 8), interpolation=interpolation, mode="squash"))).abs().max() < 0.25


def test_bands_stand_for_nothing_else() -> None:
    bands = ImageSpec((4, 4), (0.5,) * 5, (0.5,) * 5, color="bands")
    images = torch.randn(2, 5, 4, 4)
    assert Translation(bands, bands)(images) is images
    for one, other in ((bands, OURS), (OURS, bands)):
        with pytest.raises(ConfigError, match="channels"):
            Translation(one, other)
