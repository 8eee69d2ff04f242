"""Fashion-MNIST: 70,000 grey images of clothes, 28 × 28 pixels, in ten classes, split into train and test.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
Algorithms", arXiv 1708.07747; licence MIT.
"""

from __future__ import annotations

import gzip
import os
import socket
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vitrail.core.errors import DataError
from vitrail.core.files import cache_folder
from vitrail.core.network import network_allowed
from vitrail.data.dataset import Samples, Traits
from vitrail.data.sources.listing import Listing

NAME = "fashion-mnist"
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
PREFIXES = {"train": "train", "test": "t10k"}
SIDE = 28
IMAGE_MAGIC, LABEL_MAGIC = 2051, 2049
SILENCE_S = 30.0
"""Seconds without a byte after which a download is given up."""


def read() -> Listing:
    """Read Fashion-MNIST from this machine, downloading it once if need be.

    It is looked for in $VITRAIL_DATA/fashion-mnist, where Debian's package puts it, and in the user's cache.

    Returns:
        Train (60,000) and test (10,000): images (n, 28, 28, 1) uint8.

    Raises:
        DataError: if it is nowhere and cannot be downloaded, or if a file is damaged.
    """
    return read_folder(find())


def find() -> Path:
    """Find the folder that holds the four IDX files.

    Returns:
        The folder.

    Raises:
        DataError: if it is nowhere and cannot be downloaded.
    """
    cache = cache_folder() / NAME
    downloaded = cache / "FashionMNIST" / "raw"
    given = os.environ.get("VITRAIL_DATA")
    places = [*([Path(given) / NAME] if given else []), DEBIAN, downloaded]
    wanted = [f"{prefix}-{kind}" for prefix in PREFIXES.values() for kind in ("images-idx3", "labels-idx1")]
    for place in places:
        if all(_file(place, name) for name in wanted):
            return place
    try:
        _download(cache)
    except Exception as error:  # torchvision, urllib, sockets and the disk each raise their own
        raise DataError(
            f"{NAME} is not on this machine (looked in {', '.join(map(str, places))}) and cannot be downloaded: "
            f"{' '.join(str(error).split()) or type(error).__name__}",
            hint="apt install dataset-fashion-mnist, or put its four files into a folder fashion-mnist and name the "
            "folder that holds it in the environment variable VITRAIL_DATA",
        ) from error
    return downloaded


def read_folder(folder: Path) -> Listing:
    """Read the four IDX files of one folder.

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k, each with or without ".gz".

    Returns:
        Train and test.

    Raises:
        DataError: if a file is missing, cut short or of another kind.
    """
    splits = {}
    for split, prefix in PREFIXES.items():
        images = read_idx(_existing(folder, f"{prefix}-images-idx3"), IMAGE_MAGIC)
        path = _existing(folder, f"{prefix}-labels-idx1")
        labels = read_idx(path, LABEL_MAGIC)
        if images.shape[1:] != (SIDE, SIDE) or len(images) != len(labels) or labels.max(initial=0) >= len(CLASSES):
            raise DataError(
                f"{path}: {len(labels):,} labels up to {labels.max(initial=0)} do not fit images of shape "
                f"{images.shape}; allowed: as many images of {SIDE} × {SIDE} pixels, labels 0 to {len(CLASSES) - 1}"
            )
        names = [f"{NAME}/{split}/{index}" for index in range(len(labels))]
        splits[split] = Samples(images[..., None], labels.astype(np.int64), names)
    return Listing(CLASSES, splits, Traits(flip=True, photo=False))


def read_idx(path: Path, magic: int) -> npt.NDArray[np.uint8]:
    """Read one file of LeCun's IDX format.

    Args:
        path: the file, gzipped if its name ends in ".gz".
        magic: its first four bytes as a number; the last of them is the number of axes, at least 1.

    Returns:
        uint8 array of the shape that the file states; it owns its memory and can be written to.

    Raises:
        DataError: if the file cannot be read, is cut short, too long or of another kind.

    Source:
        Y. LeCun, C. Cortes, "The MNIST database of handwritten digits", section "File formats".
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="the file is damaged: fetch it again") from error
    words = np.frombuffer(content, dtype=">u4", count=min(len(content) // 4, 1 + magic % 256)).tolist()
    if not words or words[0] != magic:
        raise DataError(
            f"{path} starts with {words[0] if words else 'nothing'}; allowed: the IDX magic number {magic}",
            hint="the file is of another kind or damaged: fetch it again",
        )
    shape, start = words[1:], 4 * len(words)
    expected = int(np.prod(shape, dtype=object))
    if len(shape) != magic % 256 or len(content) - start != expected:
        stated = " × ".join(map(str, shape))
        raise DataError(
            f"{path} has {len(content) - start:,} values where its header states {stated or 'no shape'}",
            hint="the file is cut short or damaged: fetch it again",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def _file(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}-ubyte.gz", folder / f"{name}-ubyte")
    return next((path for path in candidates if os.path.isfile(path)), None)


def _existing(folder: Path, name: str) -> Path:
    path = _file(folder, name)
    if path is None:
        raise DataError(
            f"{folder} has no {name}-ubyte.gz", hint="it must hold all four files of Fashion-MNIST: fetch them again"
        )
    return path


def _download(cache: Path) -> None:
    """Let torchvision fetch the files into the cache; it verifies their checksums."""
    if not network_allowed():
        raise ConnectionError("the network is not allowed (--offline)")
    from torchvision.datasets import FashionMNIST

    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE_S)
    try:
        FashionMNIST(str(cache), download=True)
    finally:
        socket.setdefaulttimeout(patience)
