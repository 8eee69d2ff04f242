"""Samples, paths held compactly, fingerprints."""

from __future__ import annotations

import pickle

import numpy as np

from vitrail.data.dataset import Dataset, Paths, Samples


def test_paths_join_when_asked() -> None:
    paths = Paths("root", ["a/1.png", "b/2.png", "/c/3.png"])

    assert list(paths) == ["root/a/1.png", "root/b/2.png", "/c/3.png"]
    assert len(paths) == 3 and paths[-1] == "/c/3.png"
    assert list(paths[1:]) == ["root/b/2.png", "/c/3.png"]
    assert list(paths.take(np.array([1, 0]))) == ["root/b/2.png", "root/a/1.png"]
    assert list(pickle.loads(pickle.dumps(paths))) == list(paths)
    assert list(Paths("", ["x.png"])) == ["x.png"]


def test_take_keeps_images_labels_and_names_together() -> None:
    labels = np.arange(4)
    names = [f"n{index}" for index in range(4)]
    array = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    for images in (array, Paths("r", names), [f"r/{name}" for name in names]):
        part = Samples(images, labels, names).take(np.array([3, 1]))
        assert part.names == ["n3", "n1"] and part.labels.tolist() == [3, 1] and len(part) == 2
        first = part.image(0)
        assert first == "r/n3" if isinstance(first, str) else np.asarray(first).item() == 3


def test_fingerprint_sees_every_change() -> None:
    def mark(**changes: object) -> str:
        fields = {"images": np.zeros((2, 1, 1, 1), np.uint8), "labels": np.array([0, 1]), "names": ["a", "b"]} | changes
        samples = Samples(**fields)  # type: ignore[arg-type]
        return Dataset("x", ("p", "q"), {"train": samples}).fingerprint()

    pixels = np.ones((2, 1, 1, 1), np.uint8)
    marks = {mark(), mark(images=pixels), mark(labels=np.array([1, 0])), mark(names=["a", "c"])}
    assert len(marks) == 4 and mark() == mark()
    assert len(Samples(["x"], np.array([0]), ["\udcff"]).fingerprint()) == 64
