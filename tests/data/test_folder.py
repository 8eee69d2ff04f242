"""Folders as people leave them: mapped by name, or one clear error; labels never shift."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from vitrail.core.errors import DataError
from vitrail.data.dataset import Dataset, Paths
from vitrail.data.sources import folder, open_dataset

Tree = Callable[[Mapping[str, int]], Path]
NFC, NFD = "Äpfel", unicodedata.normalize("NFD", "Äpfel")


def labels_by_name(dataset: Dataset) -> dict[str, str]:
    return {
        name: dataset.classes[label]
        for samples in dataset.splits.values()
        for name, label in zip(samples.names, samples.labels.tolist(), strict=True)
    }


def sizes(dataset: Dataset) -> dict[str, int]:
    return {split: len(samples) for split, samples in dataset.splits.items()}


def error_of(root: Path, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        open_dataset(root, **options)  # type: ignore[arg-type]
    return caught.value


def assert_labels_are_folders(dataset: Dataset, depth: int) -> None:
    for name, label in labels_by_name(dataset).items():
        assert unicodedata.normalize("NFC", name.split("/")[depth]) == label


def test_class_folders_are_split_by_seed(tree: Tree) -> None:
    root = tree({"cat": 30, "dog": 20, "猫": 10})
    dataset = open_dataset(root)

    assert dataset.classes == ("cat", "dog", "猫") and sizes(dataset) == {"train": 43, "val": 5, "test": 12}
    assert dataset.made_splits == ("test", "val") and dataset.traits.flip and dataset.traits.photo
    assert_labels_are_folders(dataset, 0)
    assert all(os.path.isfile(path) for samples in dataset.splits.values() for path in samples.images)
    assert open_dataset(str(root)).fingerprint() == dataset.fingerprint() != open_dataset(root, seed=1).fingerprint()


def test_given_splits_are_kept(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 3, "train/b": 4, "validation/a": 1, "validation/b": 2, "test/a": 2}))

    assert sizes(dataset) == {"train": 7, "val": 3, "test": 2} and dataset.made_splits == ()
    assert dataset.notes == ("test has no image of class 'b'",)
    assert_labels_are_folders(dataset, 1)


def test_only_val_is_missing(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 10, "train/b": 10, "test/a": 2, "test/b": 2}), seed=4)

    assert sizes(dataset) == {"train": 18, "val": 2, "test": 4} and dataset.made_splits == ("val",)
    assert dataset.notes == ("no val split was given: 10 % of train (2) were set aside as val, stratified, seed 4",)
    assert all(name.startswith("train/") for name in dataset.splits["val"].names)


def test_only_test_is_missing(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 10, "train/b": 10, "val/a": 2, "val/b": 2}))

    assert sizes(dataset) == {"train": 20, "val": 4} and dataset.made_splits == ()
    assert "no test split was given, and none was made" in dataset.notes[0]


def test_only_train_is_given(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 10, "train/b": 10}))

    assert sizes(dataset) == {"train": 14, "val": 2, "test": 4} and dataset.made_splits == ("test", "val")
    assert dataset.notes[0].startswith("no test or val split was given: 20 % of train (4) were set aside as test")


@pytest.mark.parametrize("name", ["valid", "validation", "VAL", "Valid"])
def test_val_has_several_names(tree: Tree, name: str) -> None:
    dataset = open_dataset(tree({"Train/a": 2, "Train/b": 2, f"{name}/a": 1, f"{name}/b": 1}))

    assert sizes(dataset) == {"train": 4, "val": 2}


# The broken trees: what is not mended by name is refused by name.


def test_tree_val_lacks_a_class(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 2, "train/b": 2, "train/c": 2, "val/a": 1, "val/c": 1}))

    assert dataset.classes == ("a", "b", "c") and "val has no image of class 'b'" in dataset.notes
    assert dataset.splits["val"].labels.tolist() == [0, 2]


def test_tree_val_has_an_extra_class(tree: Tree) -> None:
    error = error_of(tree({"train/b": 2, "train/c": 2, "val/a": 1, "val/b": 1, "val/c": 1}))

    assert "class 'a' in val but not in train, which has 'b', 'c'" in error.message and "leave it out" in error.hint


def test_tree_empty_class_in_train(tree: Tree) -> None:
    assert "no image of class 'c'" in error_of(tree({"train/a": 2, "train/b": 2, "train/c": 0, "val/a": 1})).message
    root = tree({"train/a": 2, "train/b": 2, "train/c": 0, "val/c": 1})
    assert "class 'c' in val but not in train" in error_of(root).message
    assert "no image of 2 classes ('c', 'd')" in error_of(tree({"a": 2, "b": 2, "c": 0, "d": 0})).message


def test_tree_empty_class_in_val(tree: Tree) -> None:
    dataset = open_dataset(tree({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 0}))

    assert dataset.classes == ("a", "b") and "val has no image of class 'b'" in dataset.notes


def test_tree_hidden_and_left_behind(tree: Tree) -> None:
    root = tree({"a": 9, "b": 9, ".cache": 3, "__MACOSX/a": 2, "a/.thumbs": 2, "a/@eaDir": 2})
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store"):
        (root / "a" / name).write_bytes(b"x")
    (root / "a" / "._0.png").write_bytes(b"x")
    dataset = open_dataset(root)

    assert dataset.classes == ("a", "b") and sum(sizes(dataset).values()) == 18
    assert not any("left out" in note for note in dataset.notes)


def test_tree_numbers_as_names(tree: Tree) -> None:
    train = {f"train/{number}": 2 for number in range(1, 13)}
    dataset = open_dataset(tree({**train, "val/10": 1, "val/2": 1, "test/12": 1, "test/3": 2}))

    assert dataset.classes == ("1", "10", "11", "12", "2", "3", "4", "5", "6", "7", "8", "9")
    assert_labels_are_folders(dataset, 1)


def test_tree_case_differs_across_splits(tree: Tree) -> None:
    error = error_of(tree({"train/cat": 2, "train/dog": 2, "val/Cat": 1, "val/dog": 1}))

    assert "class 'Cat' in val" in error.message and "'Cat' and 'cat' differ only in case" in error.hint


def test_tree_case_differs_within_train(tree: Tree) -> None:
    root = tree({"cat": 5, "Cat": 5})
    if len(os.listdir(root)) == 1:
        pytest.skip("the file system does not tell case apart")
    dataset = open_dataset(root)

    assert dataset.classes == ("Cat", "cat") and "differ only in case" in dataset.notes[0]
    assert_labels_are_folders(dataset, 0)


def test_tree_unicode_spelling_differs_across_splits(tree: Tree) -> None:
    dataset = open_dataset(tree({f"train/{NFD}": 2, "train/Birnen": 2, f"val/{NFC}": 1, "val/Birnen": 1}))

    assert dataset.classes == ("Birnen", NFC)
    assert_labels_are_folders(dataset, 1)
    assert all(os.path.isfile(path) for path in dataset.splits["train"].images)


def test_tree_both_unicode_spellings_in_one_split(tree: Tree) -> None:
    root = tree({NFC: 5, NFD: 5, "Birnen": 5})
    dataset = open_dataset(root)

    assert dataset.classes == ("Birnen", NFC)
    assert sum((samples.labels == 1).sum() for samples in dataset.splits.values()) == 5 * (len(os.listdir(root)) - 1)


def test_tree_without_train(tree: Tree) -> None:
    root = tree({"test/a": 2, "test/b": 2, "val/a": 1})

    assert "no train split; found: 'val', 'test'" in error_of(root).message
    assert sizes(open_dataset(root, classes=("b", "a"))) == {"val": 1, "test": 4}


def test_tree_without_class_folders(tree: Tree) -> None:
    root = tree({"": 3})
    error = error_of(root)
    assert "3 images but no class folder" in error.message and "CLASS/image.jpg" in error.hint

    (root / "labels.csv").write_text("path,label\n")
    assert str(root / "labels.csv") in error_of(root).hint


def test_tree_split_without_class_folders(tree: Tree) -> None:
    assert "split 'test'" in error_of(tree({"train/a": 2, "train/b": 2, "test": 3})).message


def test_tree_two_folders_for_one_split(tree: Tree) -> None:
    assert "'val' and 'valid'" in error_of(tree({"train/a": 2, "train/b": 2, "val/a": 1, "valid/a": 1})).message


def test_tree_one_class(tree: Tree) -> None:
    error = error_of(tree({"cat": 4}))

    assert "one class to learn, 'cat'; at least 2" in error.message


def test_tree_one_folder_too_deep(tree: Tree) -> None:
    root = tree({"images/cat": 4, "images/dog": 4})

    assert f"give {root}/images" in error_of(root).hint


def test_tree_without_images(tree: Tree) -> None:
    root = tree({"a": 0, "b": 0})
    for name in ("a/1.heic", "a/2.HEIC", "b/notes.txt"):
        (root / name).write_bytes(b"x")
    error = error_of(root)

    assert "holds no image; found: 2 folders and 3 files that are no images (.heic 2, .txt 1)" in error.message
    assert ".jpeg" in error.hint


def test_tree_empty(tree: Tree) -> None:
    assert "holds no image; found: 0 folders" in error_of(tree({"": 0})).message
    assert "split 'val'" in error_of(tree({"train/a": 2, "train/b": 2, "val": 0})).message


def test_tree_with_strangers(tree: Tree) -> None:
    root = tree({"train/a": 2, "train/b": 2, "val/a": 1, "val/b": 1, "extra/a": 7, "train": 2, "": 1})
    (root / "train" / "a" / "notes.txt").write_text("x")
    (root / "README").write_text("x")
    dataset = open_dataset(root)

    assert sizes(dataset) == {"train": 4, "val": 2}
    assert "left out: 'extra' beside train, val" in dataset.notes
    assert "left out: 3 images outside of class folders, such as '0.png'" in dataset.notes
    assert "left out: 2 files that are no images (no suffix 1, .txt 1), such as 'README'" in dataset.notes


def test_split_names_may_be_classes(tree: Tree) -> None:
    dataset = open_dataset(tree({"car": 5, "plane": 5, "train": 5}))

    assert dataset.classes == ("car", "plane", "train") and sum(sizes(dataset).values()) == 15


def test_images_at_any_depth_in_stable_order(tree: Tree) -> None:
    root = tree({"a/x/y": 2, "a": 2, "a/b": 1, "b/a": 2, "b": 3})
    listing = folder.read(str(root))
    samples = listing.splits["all"]

    assert list(samples.names) == [
        "a/0.png", "a/1.png", "a/b/0.png", "a/x/y/0.png", "a/x/y/1.png",
        "b/0.png", "b/1.png", "b/2.png", "b/a/0.png", "b/a/1.png",
    ]  # fmt: skip
    assert samples.labels.tolist() == [0] * 5 + [1] * 5 and isinstance(samples.images, Paths)


def test_links_are_followed_but_not_in_circles(tree: Tree, png: bytes) -> None:
    root = tree({"a/deep": 2, "b": 2, "elsewhere": 0})
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "9.png").write_bytes(png)
    (root / "elsewhere").rmdir()
    (root / "b" / "linked").symlink_to(outside)
    (root / "a" / "deep" / "up").symlink_to(root / "a")
    (root / "a" / "deep" / "root").symlink_to(root)
    (root / "a" / "broken.png").symlink_to(root / "nowhere.png")
    names = list(folder.read(str(root)).splits["all"].names)

    assert names == ["a/broken.png", "a/deep/0.png", "a/deep/1.png", "b/0.png", "b/1.png", "b/linked/9.png"]


def test_pipes_are_not_images(tree: Tree) -> None:
    root = tree({"a": 2, "b": 2})
    os.mkfifo(root / "a" / "pipe.png")

    assert len(folder.read(str(root)).splits["all"]) == 4


def test_names_that_are_no_utf8(tree: Tree, png: bytes) -> None:
    root = tree({"a": 5, "b": 5})
    (root / "a" / os.fsdecode(b"\xff.png")).write_bytes(png)
    dataset = open_dataset(root)
    names = {path: name for part in dataset.splits.values() for path, name in zip(part.images, part.names, strict=True)}

    assert names[str(root / "a" / os.fsdecode(b"\xff.png"))] == "a/\\xff.png"
    assert len(dataset.fingerprint()) == 64


@pytest.mark.parametrize(
    "name",
    ["قطط", "猫", "🐈‍⬛", NFC, NFD, "two\nlines", "it's \"quoted\"", "-rf", "--json", " spaces ", "a,b;c\td",
     "%s{0}$HOME", "\\xfe", "con", "~", os.fsdecode(b"\xff\xfe caf\xe9"), "x" * 200],
)  # fmt: skip
def test_names_of_any_script(tree: Tree, png: bytes, name: str) -> None:
    """As the name of a class and of files in it; what is no text is spelt out."""
    root = tree({"a": 5, name: 5})
    (root / "a" / f"{name}.png").write_bytes(png)
    dataset = open_dataset(root)
    label = unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))

    assert set(dataset.classes) == {"a", label}
    assert_labels_are_folders(dataset, 0)
    for part in dataset.splits.values():
        assert all(os.path.isfile(path) for path in part.images)
    named = {path: one for part in dataset.splits.values() for path, one in zip(part.images, part.names, strict=True)}
    assert named[str(root / "a" / f"{name}.png")] == f"a/{label}.png"
    assert open_dataset(root, classes=dataset.classes).splits["test"].labels.tolist().count(1) in (5, 6)


def test_a_name_that_is_no_text_does_not_fall_together_with_its_spelling(tree: Tree) -> None:
    root = tree({"a": 5, os.fsdecode(b"\xfe"): 5, "\\xfe": 5})

    assert "two folders that are called '\\\\xfe'" in error_of(root).message


def test_a_folder_that_cannot_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"a": 2, "b": 2})

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert "Permission denied" in error_of(root).message


def test_too_few_images_to_set_any_aside(tree: Tree) -> None:
    root = tree({"a": 1, "b": 2})

    assert "too few images to set some aside as val" in error_of(root).message


# A trained model's classes


def test_labels_follow_the_model(tree: Tree) -> None:
    root = tree({"cat": 3, "dog": 3, NFD: 2, "empty": 0})
    dataset = open_dataset(root, classes=("dog", "eel", NFC, "cat"))

    assert dataset.classes == ("dog", "eel", NFC, "cat") and sizes(dataset) == {"test": 8}
    assert_labels_are_folders(dataset, 0)
    assert dataset.notes == (
        "no split was given: all 8 images are read as test",
        "test has no image of class 'eel'",
    )


def test_one_class_is_enough_to_evaluate(tree: Tree) -> None:
    assert sizes(open_dataset(tree({"cat": 3}), classes=("cat", "dog"))) == {"test": 3}


def test_classes_unknown_to_the_model(tree: Tree) -> None:
    error = error_of(tree({"Cat": 3, "dog": 3, "zebra": 1}), classes=("cat", "dog"))

    assert "2 classes ('Cat', 'zebra') in test but not in the model, which has 'cat', 'dog'" in error.message
    assert "'Cat' and 'cat' differ only in case" in error.hint


def test_made_splits_are_made_again(tree: Tree) -> None:
    root = tree({"a": 20, "b": 20})
    trained = open_dataset(root, seed=2)
    again = open_dataset(root, seed=2, classes=("b", "a"), made=trained.made_splits)

    assert {split: set(part.names) for split, part in again.splits.items()} == {
        split: set(part.names) for split, part in trained.splits.items()
    }
    assert labels_by_name(again) == labels_by_name(trained) and again.made_splits == ("test", "val")


def test_given_splits_are_not_cut_for_a_trained_model(tree: Tree) -> None:
    root = tree({"train/a": 10, "train/b": 10, "test/a": 2})

    assert sizes(open_dataset(root, classes=("a", "b"))) == {"train": 20, "test": 2}
    assert sizes(open_dataset(root, classes=("a", "b"), made=("val",))) == {"train": 18, "val": 2, "test": 2}


def test_twenty_thousand_files(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"class {number}").mkdir()
        for index in range(1000):
            os.close(os.open(tmp_path / f"class {number}" / f"{index:05}.jpg", os.O_CREAT | os.O_WRONLY))
    dataset = open_dataset(tmp_path)

    assert sizes(dataset) == {"train": 14_400, "val": 1600, "test": 4000}
    for samples in dataset.splits.values():
        assert len(set(np.bincount(samples.labels))) == 1
