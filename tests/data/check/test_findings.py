"""Every row of the table of findings: what is planted is found, and a sound set has nothing."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from vitrail.data.check.findings import FINDINGS, concerned, find_all


def write(folder, pictures, suffix=".png"):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}{suffix}" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        picture.save(path)
    return paths


@pytest.fixture
def sound(tmp_path, tiles):
    """Write a set with nothing to find: split → class → paths."""
    return {
        "train": {"a": write(tmp_path / "train/a", tiles[:6]), "b": write(tmp_path / "train/b", tiles[6:12])},
        "test": {"a": write(tmp_path / "test/a", tiles[12:14]), "b": write(tmp_path / "test/b", tiles[14:16])},
    }


def bad_files(sets, tiles, folder):
    sets["train"]["a"][2].write_bytes(b"nothing")
    return [sets["train"]["a"][2]]


def leaks(sets, tiles, folder):
    sets["test"]["a"] += write(folder / "new", [tiles[1]])
    return [sets["train"]["a"][1], sets["test"]["a"][-1]]


def label_conflicts(sets, tiles, folder):
    sets["train"]["b"] += write(folder / "new", [tiles[1].resize((60, 60))])
    return [sets["train"]["a"][1], sets["train"]["b"][-1]]


def duplicates(sets, tiles, folder):
    sets["train"]["a"] += write(folder / "new", [tiles[1], tiles[1].transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    return [sets["train"]["a"][1], *sets["train"]["a"][-2:]]


def empty_classes(sets, tiles, folder):
    sets["train"]["void"] = []
    return []


def single_classes(sets, tiles, folder):
    sets["train"]["c"] = write(folder / "c", [tiles[20]])
    return sets["train"]["c"]


def blank(sets, tiles, folder):
    sets["train"]["a"] += write(folder / "new", [Image.new("RGB", (84, 84), (200, 10, 10))])
    return [sets["train"]["a"][-1]]


def imbalance(sets, tiles, folder):
    sets["train"]["c"] = write(folder / "c", tiles[20:21])
    sets["test"]["c"] = []
    sets["train"]["a"] += write(folder / "more", tiles[21:30])
    return []


def tiny(sets, tiles, folder):
    sets["train"]["a"] += write(folder / "new", [tiles[20].resize((7, 20))])
    return [sets["train"]["a"][-1]]


def huge(sets, tiles, folder):
    sets["train"]["a"] += write(folder / "new", [tiles[20].resize((5000, 4900))], ".jpg")
    return [sets["train"]["a"][-1]]


def elongated(sets, tiles, folder):
    sets["train"]["a"] += write(folder / "new", [tiles[20].resize((310, 60))])
    return [sets["train"]["a"][-1]]


def wrong_suffixes(sets, tiles, folder):
    tiles[20].save(sets["train"]["a"][0], "JPEG")
    return [sets["train"]["a"][0]]


def rotated(sets, tiles, folder):
    exif = Image.Exif()
    exif[274] = 3
    tiles[20].save(sets["train"]["a"][0], exif=exif)
    return [sets["train"]["a"][0]]


def odd_modes(sets, tiles, folder):
    tiles[20].convert("P").save(sets["train"]["a"][0])
    return [sets["train"]["a"][0]]


PLANTS = {
    plant.__name__: plant
    for plant in (
        bad_files, leaks, label_conflicts, duplicates, empty_classes, single_classes, blank, imbalance, tiny, huge,
        elongated, wrong_suffixes, rotated, odd_modes,
    )
}  # fmt: skip


def test_every_row_is_planted_once():
    assert set(PLANTS) == set(FINDINGS)


def test_a_sound_set_has_no_finding(sound, surveyed):
    found = find_all(surveyed(sound))
    assert set(found) == set(FINDINGS)
    assert not any(found.values())


@pytest.mark.parametrize("name", PLANTS)
def test_what_is_planted_is_found(name, sound, surveyed, tiles, tmp_path):
    expected = PLANTS[name](sound, tiles, tmp_path)
    survey = surveyed(sound)
    items = FINDINGS[name].find(survey)
    (item,) = items
    assert sorted(survey.catalogue.names[index] for index in item.images) == sorted(map(str, expected))
    assert item.detail
    allowed = {
        "leaks": {"leaks", "duplicates"},
        "label_conflicts": {"label_conflicts", "duplicates"},
        "huge": {"huge"},
        "imbalance": {"imbalance", "single_classes"},
    }
    others = {other for other, those in find_all(survey).items() if those} - allowed.get(name, {name})
    assert not others


def test_what_is_equal_is_told_from_what_is_nearly_so(sound, surveyed, tiles, tmp_path):
    sound["train"]["a"] += write(tmp_path / "new", [tiles[0], tiles[1].resize((70, 70))])
    exact, near = FINDINGS["duplicates"].find(surveyed(sound))
    assert (exact.exact, near.exact) == (True, False)
    assert "near" in near.detail
    assert len(list(FINDINGS["duplicates"].find(surveyed(sound, near=False)))) == 1


def test_images_are_counted_once(sound, surveyed, tiles, tmp_path):
    sound["test"]["a"] += write(tmp_path / "new", [tiles[0], tiles[0], tiles[1]])
    assert concerned(find_all(surveyed(sound))["leaks"]) == 5


def test_quick_findings_need_no_look(sound, surveyed):
    survey = surveyed(sound)
    assert set(find_all(survey, quick=True)) == {name for name, one in FINDINGS.items() if one.quick}
    assert np.array_equal(survey.catalogue.split_of, [0] * 12 + [1] * 4)
