"""Deletion and insertion against closed forms: a score that is the sum over known patches."""

import numpy as np
import pytest
import torch

from vitrail.analysis import measure_faithfulness
from vitrail.analysis.fills import FILLS
from vitrail.core.errors import ConfigError

GRID, PATCH = (4, 6), 2
KNOWN = [(0, 1), (1, 1), (1, 2), (3, 5), (2, 4), (3, 0)]
"""Six of 24 patches: a quarter."""


def known():
    places = torch.zeros(GRID, dtype=torch.float64)
    for place in KNOWN:
        places[place] = 1
    return places


def patches(image):
    return image.unfold(2, PATCH, PATCH).unfold(3, PATCH, PATCH).mean(dim=(1, 4, 5))


def bright(images):
    """Give the brightness of the known patches, 0 … 1."""
    return (patches(images) * known()).sum(dim=(1, 2)) / len(KNOWN)


@pytest.fixture
def image():
    """Give an image of two channels that is 1 on the known patches, 0 elsewhere: its mean is 1/4."""
    shown = known().repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1)
    return shown.expand(1, 2, -1, -1).clone()


@pytest.mark.parametrize("steps", [24, 12, 100])
def test_the_right_order_has_the_areas_of_its_closed_form(image, steps):
    """The score falls from 1 to the mean, 1/4, over the first quarter of the patches, and stays; the other way back."""
    found = measure_faithfulness(bright, image, {"right": known(), "wrong": 1 - known()}, PATCH, "mean", steps)
    right, wrong = found.curves["right"], found.curves["wrong"]
    assert right.deleted == pytest.approx(5 / 8 / 4 + 1 / 4 * 3 / 4, abs=1e-12)
    assert right.inserted == pytest.approx(5 / 8 / 4 + 3 / 4, abs=1e-12)
    assert right.gain == pytest.approx(9 / 16, abs=1e-12)
    assert wrong.gain == pytest.approx(-9 / 16, abs=1e-12)
    assert right.deletion[0] == right.insertion[-1] == 1 and right.deletion[-1] == right.insertion[0] == 0.25
    np.testing.assert_allclose(right.fractions[[0, -1]], [0, 1])
    assert found.best == found.believed == "right"
    assert not found.beats_chance("wrong")


def test_random_orders_gain_nothing_on_average(image):
    found = measure_faithfulness(bright, image, {"right": known()}, PATCH, "mean", repeats=400)
    gains = np.array([one.gain for one in found.chance])
    assert len(gains) == 400 and abs(gains.mean()) < 3 * found.spread / 20
    assert found.spread == pytest.approx(gains.std(), rel=0.02)
    assert found.bound == np.abs(gains).max() < 9 / 16
    assert {tuple(one.deletion.tolist()) for one in found.chance[:50]}.__len__() > 40


@pytest.mark.parametrize("grid", [(1, 9), (3, 3), (2, 5), (1, 1), (5, 7)])
def test_a_reversed_order_gains_the_opposite(grid):
    image = torch.rand(1, 3, grid[0] * PATCH, grid[1] * PATCH, dtype=torch.float64)
    ranks = torch.randperm(grid[0] * grid[1]).reshape(grid)

    def score(images):
        return (images.mean(dim=(1, 2, 3)) + images[:, 0, 0, 0]).exp()

    found = measure_faithfulness(score, image, {"one": ranks, "other": -ranks}, PATCH, "blur", steps=16)
    assert found.curves["one"].gain == pytest.approx(-found.curves["other"].gain, abs=1e-12)


@pytest.mark.parametrize(("maps", "repeats"), [(1, 9), (2, 19), (3, 29)])
def test_by_default_chance_is_believed_once_in_twenty(image, maps, repeats):
    found = measure_faithfulness(bright, image, {str(one): known() for one in range(maps)}, PATCH)
    assert len(found.chance) == repeats
    assert found.risk == pytest.approx(0.05)


def test_no_map_is_believed_where_the_score_does_not_care(image):
    found = measure_faithfulness(lambda images: torch.ones(len(images)), image, {"any": known()}, PATCH)
    assert found.curves["any"].gain == 0
    assert found.believed is None


def test_equal_numbers_are_ordered_by_chance(image):
    """In raster order the known patches at the top would come first."""
    flat = torch.zeros(GRID)
    gains = [
        measure_faithfulness(bright, image, {"flat": flat}, PATCH, "mean", repeats=1, seed=seed).curves["flat"].gain
        for seed in range(12)
    ]
    assert len({round(gain, 9) for gain in gains}) > 6


@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_at_most_a_batch_of_images_is_made_at_once(image, batch_size):
    sizes = []

    def counted(images):
        sizes.append(len(images))
        return bright(images)

    found = measure_faithfulness(counted, image, {"right": known()}, PATCH, "mean", 8, 3, batch_size=batch_size)
    assert max(sizes) <= batch_size
    assert sum(sizes) == 2 + 4 * 2 * 7
    assert found.curves["right"].gain == pytest.approx(9 / 16, abs=0.01)


def test_the_same_seed_gives_the_same_curves(image):
    def curves(seed):
        found = measure_faithfulness(bright, image, {"right": known()}, PATCH, repeats=2, seed=seed)
        return np.stack([one.deletion for one in found.chance])

    np.testing.assert_array_equal(curves(3), curves(3))
    assert (curves(3) != curves(4)).any()


def test_images_that_patches_do_not_tile_are_covered_all_the_same():
    image = torch.ones(1, 3, 7, 10)
    found = measure_faithfulness(lambda images: images.mean(dim=(1, 2, 3)), image, {"one": torch.rand(2, 3)}, 4, "mean")
    assert found.curves["one"].gain == pytest.approx(0, abs=1e-6)


def test_a_blur_keeps_flat_images_and_forgets_detail():
    blur, flat = FILLS["blur"], torch.full((1, 3, 32, 48), 0.7)
    torch.testing.assert_close(blur(flat), flat)
    board = (torch.arange(32)[:, None] + torch.arange(48)[None]) % 2
    assert blur(board.expand(1, 3, -1, -1).float()).std() < 0.01
    halves = (torch.arange(48) >= 24).float().expand(1, 3, 32, -1)
    found = blur(halves)
    assert found[0, 0, 0, 0] < 0.01 and found[0, 0, 0, -1] > 0.99 and abs(found[0, 0, 0, 23:25].mean() - 0.5) < 1e-5
    assert FILLS["blur"](torch.ones(1, 1, 1, 1)).item() == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"maps": {}}, "maps"),
        ({"maps": {"one": torch.ones(2, 3), "other": torch.ones(3, 2)}}, "maps"),
        ({"maps": {"one": torch.ones(24)}}, "maps"),
        ({"fill": "blurr"}, "unknown fill"),
        ({"steps": 0}, "steps = 0"),
        ({"repeats": 0}, "repeats = 0"),
        ({"batch_size": 0}, "batch_size = 0"),
    ],
)
def test_what_makes_no_sense_is_refused(image, change, message):
    with pytest.raises(ConfigError, match=message):
        measure_faithfulness(**{"score": bright, "image": image, "maps": {"a": known()}, "patch_size": PATCH, **change})
