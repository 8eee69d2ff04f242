"""Features of images that were computed before, found again by the images' content.

One folder holds the features of one model. Each file in it holds those of some images, beside the sha256 of each image,
and is never changed. What does not read back as it was written is removed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vitrail.core.files import cache_folder, sha256, write_atomically

LIMIT = 2 * 2**30
"""Bytes of all models together; beyond it, those that were not used for the longest time go."""

Row = npt.NDArray[np.float32]


class FeatureStore:
    """Keep the features of one model.

    Args:
        key: what tells this model, and whatever else decides its features, from others: hexadecimal digits.
        root: folder of all stores; None for `features` in vitrail's cache.
    """

    def __init__(self, key: str, root: Path | None = None) -> None:
        self.root = cache_folder() / "features" if root is None else root
        self.folder = self.root / key

    def read(self) -> dict[bytes, Row]:
        """Read everything that is kept of this model.

        Returns:
            sha256 of an image → its features, (dim,) float32.
        """
        found: dict[bytes, Row] = {}
        with suppress(OSError):
            for path in sorted(self.folder.glob("*.safetensors")):
                found.update(_read(path))
            os.utime(self.folder)
        return found

    def write(self, rows: Mapping[bytes, Row]) -> None:
        """Keep more features.

        Args:
            rows: sha256 of an image → its features; at least one.

        Raises:
            StorageError: if the disk refuses.
        """
        digests = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)
        features = np.stack(list(rows.values())).astype(np.float32)
        check = _check(digests, features)
        content = save({"digests": digests, "features": features}, metadata={"sha256": check})
        write_atomically(self.folder / f"{check[:32]}.safetensors", content)
        self._prune()

    def _prune(self) -> None:
        """Remove the stores that were not used for the longest time, but never this one."""
        with suppress(OSError):
            sizes = {
                folder: sum(file.stat().st_size for file in folder.iterdir())
                for folder in sorted(self.root.iterdir(), key=lambda one: one.stat().st_mtime)
            }
            excess = sum(sizes.values()) - LIMIT
            for folder, size in sizes.items():
                if excess > 0 and folder != self.folder:
                    shutil.rmtree(folder, ignore_errors=True)
                    excess -= size


def _read(path: Path) -> dict[bytes, Row]:
    try:
        with safe_open(path, framework="np") as file:
            digests, features = file.get_tensor("digests"), file.get_tensor("features")
            whole = (file.metadata() or {}).get("sha256") == _check(digests, features)
    except (SafetensorError, OSError):
        whole = False
    if not whole:
        path.unlink(missing_ok=True)
        return {}
    return {digest.tobytes(): row for digest, row in zip(digests, features, strict=True)}


def _check(digests: npt.NDArray[np.uint8], features: npt.NDArray[np.float32]) -> str:
    return sha256(digests.tobytes(), features.tobytes())
