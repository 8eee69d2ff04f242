"""The list of what is worth keeping: each picture once, none with two labels, and it can be read again."""

from __future__ import annotations

import os

import pytest

from vitrail.core.errors import DataError
from vitrail.data.check.clean import clean_list, worth_keeping
from vitrail.data.sources import list_data


def kept(survey):
    return [os.path.basename(survey.catalogue.names[index]) for index in worth_keeping(survey)]


def saved(folder, **pictures):
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
        paths.append(folder / f"{name}.png")
    return paths


def test_of_copies_one_is_kept_and_it_is_the_one_that_is_measured_on(tmp_path, tiles, surveyed):
    found = surveyed({
        "train": {"a": saved(tmp_path, one=tiles[0], two=tiles[1], again=tiles[1]), "b": saved(tmp_path, b=tiles[2])},
        "val": {"a": saved(tmp_path, three=tiles[1])},
        "test": {"a": saved(tmp_path, four=tiles[1].resize((70, 70))), "b": saved(tmp_path, five=tiles[3])},
    })  # fmt: skip
    assert kept(found) == ["one.png", "b.png", "four.png", "five.png"]


def test_a_picture_with_two_labels_is_not_kept_at_all_nor_is_a_bad_file(tmp_path, tiles, surveyed):
    (tmp_path / "bad.png").write_bytes(b"bad")
    found = surveyed({"all": {
        "a": [*saved(tmp_path, one=tiles[0], two=tiles[1]), tmp_path / "bad.png"],
        "b": saved(tmp_path, three=tiles[1], four=tiles[2]),
    }})  # fmt: skip
    assert kept(found) == ["one.png", "four.png"]


def test_the_list_is_a_data_set_whatever_the_names_hold(tmp_path, tiles, surveyed):
    names = {'a "quoted", one': tiles[0], "ünï\ncode": tiles[1], " spaced ": tiles[2], "plain": tiles[3]}
    found = surveyed({
        "train": {"x;y": saved(tmp_path / "data", **names), "=1+1": saved(tmp_path / "data", other=tiles[4])},
        "test": {"x;y": saved(tmp_path / "data", test=tiles[5])},
    })  # fmt: skip
    path = tmp_path / "keep.csv"
    text = clean_list(found.catalogue, worth_keeping(found), path)
    assert str(tmp_path) not in text  # so that the folder may be moved
    path.write_text(text, encoding="utf-8")
    listing = list_data(str(path))
    assert set(listing.vocabulary) == {"x;y", "=1+1"}
    assert sorted(map(os.path.realpath, listing.splits["train"].images)) == sorted(
        os.path.realpath(name) for name in found.catalogue.names[:5]
    )
    assert len(listing.splits["test"]) == 1


def test_a_list_elsewhere_has_whole_paths(tmp_path, tiles, surveyed, monkeypatch):
    monkeypatch.chdir(tmp_path)
    saved(tmp_path / "data", one=tiles[0], two=tiles[1])
    found = surveyed({"all": {"a": ["data/one.png"], "b": ["data/two.png"]}})
    text = clean_list(found.catalogue, [0, 1], tmp_path / "lists" / "keep.csv")
    assert text.splitlines() == ["path,label", f"{tmp_path}/data/one.png,a", f"{tmp_path}/data/two.png,b"]
    assert clean_list(found.catalogue, [1], tmp_path / "keep.csv").splitlines()[1] == "data/two.png,b"


def test_what_cannot_be_listed_is_said(tmp_path, tiles, surveyed):
    found = surveyed({"all": {"a": saved(tmp_path, one=tiles[0])}})
    with pytest.raises(DataError, match="not one image"):
        clean_list(found.catalogue, [], tmp_path / "keep.csv")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")
    tiles[1].save(odd)
    found = surveyed({"all": {"a": [odd]}})
    with pytest.raises(DataError, match="name cannot stand in a text file"):
        clean_list(found.catalogue, [0], tmp_path / "keep.csv")
