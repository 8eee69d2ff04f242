"""References, named sources, and every row of `SOURCES`."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from vitrail.core.errors import DataError
from vitrail.core.network import network
from vitrail.data.sources import SOURCES, digits, fashion_mnist, open_dataset
from vitrail.data.sources.listing import UNSPLIT

Tree = Callable[[Mapping[str, int]], Path]
HAS_FASHION = fashion_mnist.DEBIAN.is_dir()


def test_importing_is_light() -> None:
    code = (
        "import sys, vitrail.data.sources\n"
        "heavy = {'torch', 'torchvision', 'pyarrow', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", SOURCES)
def test_every_named_source(name: str) -> None:
    if name == "fashion-mnist" and not HAS_FASHION:
        pytest.skip("dataset-fashion-mnist is not installed")
    dataset = open_dataset(name)

    assert dataset.reference == name and list(dataset.splits) == ["train", "val", "test"]
    assert dataset.made_splits and dataset.notes
    names = [image for samples in dataset.splits.values() for image in samples.names]
    assert len(names) == len(set(names))
    for samples in dataset.splits.values():
        assert isinstance(samples.images, np.ndarray) and samples.images.dtype == np.uint8 and samples.images.ndim == 4
        assert samples.labels.dtype == np.int64 and set(samples.labels) == set(range(len(dataset.classes)))
        assert samples.images.flags.writeable and len(samples.images) == len(samples.labels) == len(samples.names)
    assert open_dataset(name).fingerprint() == dataset.fingerprint() != open_dataset(name, seed=1).fingerprint()


def test_digits_are_scikit_learns() -> None:
    samples = digits.read().splits[UNSPLIT]
    reference = load_digits()

    assert isinstance(samples.images, np.ndarray) and samples.images.shape == (1797, 8, 8, 1)
    expected = [[[round(value * 255 / 16) for value in row] for row in image] for image in reference.images.tolist()]
    assert (samples.images[..., 0] == np.array(expected)).all()
    assert (samples.labels == reference.target).all()
    assert samples.names[0] == "digits/0" and samples.images.max() == 255


def test_digits_are_split_80_20_then_90_10() -> None:
    dataset = open_dataset("digits", seed=3)

    assert [len(dataset.splits[split]) for split in ("train", "val", "test")] == [1294, 144, 359]
    assert dataset.made_splits == ("test", "val") and not dataset.traits.flip and not dataset.traits.photo
    assert dataset.notes == (
        (
            "no split was given: 20 % of the images (359) were set aside as test and 10 % of the rest (144) as val, "
            "stratified, seed 3"
        ),
    )
    for samples in dataset.splits.values():
        shares = np.bincount(samples.labels) / len(samples)
        assert (abs(shares - 0.1) < 0.02).all()


def test_a_trained_model_gets_the_same_images_set_aside() -> None:
    trained = open_dataset("digits", seed=5)
    again = open_dataset("digits", seed=5, classes=trained.classes, made=trained.made_splits)
    whole = open_dataset("digits", seed=5, classes=trained.classes)

    assert again.fingerprint() == trained.fingerprint()
    assert {split: len(samples) for split, samples in whole.splits.items()} == {"test": 1797}
    assert whole.made_splits == () and "all 1,797 images are read as test" in whole.notes[0]


@pytest.mark.skipif(not HAS_FASHION, reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist_as_published() -> None:
    listing = fashion_mnist.read()

    assert {split: len(samples) for split, samples in listing.splits.items()} == {"train": 60_000, "test": 10_000}
    assert listing.vocabulary[0] == "T-shirt/top" and listing.vocabulary[9] == "Ankle boot"
    assert np.bincount(listing.splits["train"].labels).tolist() == [6000] * 10
    assert listing.splits["train"].labels[:5].tolist() == [9, 0, 0, 3, 0]
    assert listing.splits["train"].names[17] == "fashion-mnist/train/17" and listing.traits.flip


def idx(array: np.ndarray, magic: int) -> bytes:
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write_fashion(folder: Path, suffix: str = ".gz") -> Path:
    folder.mkdir(parents=True)
    for prefix, count in (("train", 40), ("t10k", 20)):
        images = np.arange(count * 784, dtype=np.uint32).astype(np.uint8).reshape(count, 28, 28)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, content in (("images-idx3", idx(images, 2051)), ("labels-idx1", idx(labels, 2049))):
            content = gzip.compress(content) if suffix else content
            (folder / f"{prefix}-{name}-ubyte{suffix}").write_bytes(content)
    return folder


@pytest.mark.parametrize("suffix", [".gz", ""])
def test_fashion_mnist_where_the_environment_says(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fashion(tmp_path / "fashion-mnist", suffix)
    monkeypatch.setenv("VITRAIL_DATA", str(tmp_path))
    dataset = open_dataset("fashion-mnist")

    assert {split: len(samples) for split, samples in dataset.splits.items()} == {"train": 36, "val": 4, "test": 20}
    image = dataset.splits["test"].image(1)
    assert isinstance(image, np.ndarray) and image.shape == (28, 28, 1) and image[0, 0, 0] == 784 % 256


def damage_truncated(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:50])


def damage_short(folder: Path) -> None:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))


def damage_magic(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"\0\0\0\1" * 9))


def damage_empty(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")


def damage_header(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(struct.pack(">I", 2049)))


def damage_kind(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"\x89PNG\r\n\x1a\n")


def damage_labels(folder: Path) -> None:
    content = gzip.compress(idx(np.full(20, 10, np.uint8), 2049))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)


def damage_counts(folder: Path) -> None:
    content = gzip.compress(idx(np.zeros(19, np.uint8), 2049))
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(content)


def damage_missing(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_truncated, damage_short, damage_magic, damage_empty, damage_header, damage_kind, damage_labels,
        damage_counts, damage_missing,
    ],
)  # fmt: skip
def test_damaged_idx_files_are_named(damage: Callable[[Path], None], tmp_path: Path) -> None:
    folder = write_fashion(tmp_path / "fashion-mnist")
    damage(folder)
    with pytest.raises(DataError, match=r"train-images-idx3|t10k-labels-idx1"):
        fashion_mnist.read_folder(folder)


def test_fashion_mnist_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cache: Path) -> None:
        raise RuntimeError("Error downloading\n  no route to host")

    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "_download", fail)
    monkeypatch.delenv("VITRAIL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VITRAIL_DATA", raising=False)
    with pytest.raises(DataError, match="no route to host") as caught:
        open_dataset("fashion-mnist")
    assert "apt install dataset-fashion-mnist" in caught.value.hint


def test_fashion_mnist_nowhere_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setenv("VITRAIL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VITRAIL_DATA", raising=False)
    with network(False), pytest.raises(DataError, match="--offline"):
        open_dataset("fashion-mnist")


def test_fashion_mnist_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(cache: Path) -> None:
        calls.append(cache)
        write_fashion(cache / "FashionMNIST" / "raw")

    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    monkeypatch.setattr(fashion_mnist, "_download", download)
    monkeypatch.delenv("VITRAIL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("VITRAIL_DATA", raising=False)
    assert len(open_dataset("fashion-mnist").splits["test"]) == len(open_dataset("fashion-mnist").splits["test"]) == 20
    assert calls == [tmp_path / "cache" / "vitrail" / "fashion-mnist"]


def error_of(reference: str | Path, **options: object) -> DataError:
    with pytest.raises(DataError) as caught:
        open_dataset(reference, **options)  # type: ignore[arg-type]
    return caught.value


def test_unknown_names_get_the_nearest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".digit").touch()
    assert "did you mean fashion-mnist?" in error_of("fashionmnist").hint
    assert "did you mean digits?" in error_of("digit").hint
    error = error_of("zzzzzzzzzzzz")
    assert "no such file or folder" in error.message and "path,label" in error.hint and "digits" in error.hint
    assert "no such file" in error_of("").message and "no such file" in error_of("a\0b").message


def test_mistyped_paths_get_the_nearest(tree: Tree) -> None:
    root = tree({"cat": 1, "dog": 1})

    assert f"did you mean {root}?" in error_of(str(root.with_name("flwoers"))).hint


def test_files_that_are_no_data_set(tree: Tree, tmp_path: Path) -> None:
    root = tree({"cat": 1, "dog": 1})
    assert "is an image" in error_of(root / "cat" / "0.png").message
    archive = tmp_path / "flowers.zip"
    archive.write_bytes(b"PK")
    assert "unpack" in error_of(archive).hint
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    assert "no data set" in error_of(text).message
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "no image" in error_of(folder).message


def test_a_folder_called_like_a_source(png: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / "digits" / name).mkdir(parents=True)
        for index in range(4):
            (tmp_path / "digits" / name / f"{index}.png").write_bytes(png)
    monkeypatch.chdir(tmp_path)

    named = open_dataset("digits")
    assert len(named.classes) == 10 and "./digits" in named.notes[0]
    assert open_dataset("./digits").classes == open_dataset(Path("digits")).classes == ("a", "b")
