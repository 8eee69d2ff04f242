"""Near duplicates: copies are found, and what only looks alike is not."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vitrail.data.check.likeness import compare, correlation, details
from vitrail.data.check.look import SIDE, look
from vitrail.data.check.near import SAME, candidates, describe, near_pairs
from vitrail.data.check.window import Window, likely_windows, resampling


def seen(images):
    looks = [look(np.asarray(image.convert("RGB"))) for image in images]
    return np.stack([one.thumbnail for one in looks]), np.array([one.colour for one in looks])


def test_tiles_of_photographs_are_no_duplicates_of_each_other(tiles):
    assert near_pairs(*seen(tiles)) == []


@pytest.mark.parametrize("kind", [
    "re-encoded", "smaller", "larger", "mirrored", "upended", "cropped at a corner", "cropped somewhere",
    "cropped and mirrored",
])  # fmt: skip
def test_a_changed_copy_is_found_and_nothing_else(tiles, changes, kind):
    copied = range(0, len(tiles), 2)
    found = near_pairs(*seen([*tiles, *(changes[kind](tiles[number]) for number in copied)]))
    expected = {(number, len(tiles) + place) for place, number in enumerate(copied)}
    pairs = {(pair.first, pair.second) for pair in found}
    assert pairs <= expected
    assert len(pairs) >= 0.95 * len(expected)
    assert all(SAME <= pair.likeness <= 1.0001 for pair in found)


def test_the_same_cut_in_another_tone_or_colour_is_another_picture():
    random = np.random.default_rng(0)
    shirt = np.zeros((64, 64, 3), dtype=np.float64)
    shirt[8:60, 20:44] = shirt[12:24, 6:58] = random.normal(120, 4, (1, 1, 3))
    shirt[30:34, 24:40] += 40
    red = shirt * [1.0, 0.45, 0.4]
    darker = shirt * 0.7
    images = [Image.fromarray(one.clip(0, 255).astype(np.uint8)) for one in (shirt, red, darker)]
    assert near_pairs(*seen(images)) == []
    assert near_pairs(*seen([images[0], images[0].resize((48, 48))]))


def test_gradients_and_blank_images_are_not_alike():
    ramp = np.linspace(40, 200, 64)
    images = [np.tile(ramp, (64, 1)), np.tile(ramp * 0.75 + 30, (64, 1)), np.full((64, 64), 90), np.full((64, 64), 93)]
    assert near_pairs(*seen([Image.fromarray(one.astype(np.uint8)) for one in images])) == []


def test_one_image_or_none_have_no_pairs():
    assert near_pairs(np.zeros((0, SIDE, SIDE), dtype=np.uint8), np.zeros((0, 3), dtype=np.int64)) == []
    assert near_pairs(np.ones((1, SIDE, SIDE), dtype=np.uint8), np.zeros((1, 3), dtype=np.int64)) == []


def test_progress_ends_with_everything(tiles):
    told = []
    near_pairs(*seen(tiles[:5]), progress=told.append)
    assert told[-1] == 1


def test_search_in_parts_finds_what_the_whole_finds(tiles, changes, monkeypatch):
    thumbnails, colours = seen([*tiles[:20], *map(changes["re-encoded"], tiles[:20])])
    whole = near_pairs(thumbnails, colours)
    monkeypatch.setattr("vitrail.data.check.near.AT_ONCE", 3 * len(thumbnails))
    parts = near_pairs(thumbnails, colours)
    assert [(one.first, one.second) for one in whole] == [(one.first, one.second) for one in parts]
    assert len(list(candidates(thumbnails))) == 14


@pytest.mark.parametrize(("top", "left", "scale"), [(0.0, 0.0, 1.0), (0.0, 0.1, 0.9), (0.03125, 0.025, 0.95)])
def test_a_window_of_a_thumbnail_is_the_thumbnail_of_a_crop(tiles, top, left, scale):
    thumbnail = seen(tiles[7:8])[0][0]
    image = Image.fromarray(thumbnail).resize((320, 320), Image.Resampling.NEAREST)
    box = (320 * left, 320 * top, 320 * (left + scale), 320 * (top + scale))
    crop = np.asarray(image.crop(tuple(map(round, box))).resize((SIDE, SIDE), Image.Resampling.BOX), dtype=np.float64)
    window = Window(top, left, scale)
    part = window.rows() @ thumbnail.astype(np.float32) @ window.columns().T
    assert np.abs(part - crop).mean() < 1.5  # Pillow counts a pixel wholly or not at all
    mirrored = Window(top, left, scale, mirrored=True)
    assert np.array_equal(mirrored.rows() @ thumbnail @ mirrored.columns().T, part[:, ::-1])


def test_windows_cover_every_crop_within_a_pixel_of_a_thumbnail():
    windows = [one for one in likely_windows() if not one.mirrored and not one.upended]
    for scale in (0.9, 0.95):
        for start in np.linspace(0, 1 - scale, 21):
            nearest = min(abs(one.top - start) for one in windows if one.scale == scale and one.left == one.top)
            assert nearest * SIDE <= 1


def test_resampling_takes_means():
    matrix = resampling(np.float32(0.07), np.float32(0.9))
    assert np.allclose(matrix.sum(axis=-1), 1, atol=1e-5)
    assert matrix.min() >= 0


def test_descriptors_do_not_see_brightness_and_contrast(tiles):
    thumbnails = seen(tiles)[0]
    dimmed = (thumbnails * 0.5 + 20).astype(np.uint8)
    cosines = (describe(thumbnails, Window()) * describe(dimmed, Window())).sum(axis=1)
    assert cosines.min() > 0.99


def test_alignment_finds_the_window_from_a_rough_guess(tiles, changes):
    source, target = seen(tiles)[0], seen([changes["cropped somewhere"](tile) for tile in tiles])[0]
    rough = np.tile(np.array([0.05, 0.05, 0.9], dtype=np.float32), (len(tiles), 1))
    turns = np.zeros((len(tiles), 2), dtype=bool)
    likeness, difference = compare(source, target, rough, turns)
    fixed = details(
        resampling(rough[:, 0], rough[:, 2])
        @ source.astype(np.float32)
        @ resampling(rough[:, 1], rough[:, 2]).transpose(0, 2, 1)
    )
    before = correlation(fixed, details(target.astype(np.float32)))
    assert np.median(before) < 0.93 < np.median(likeness)
    assert (likeness >= before - 1e-5).all()
    assert np.median(difference) < 5
