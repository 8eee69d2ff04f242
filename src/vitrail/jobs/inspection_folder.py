"""The folder that `inspect` leaves behind: a page, its figures, and their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError, StorageError
from vitrail.core.files import storage, write_atomically

FIGURES = (
    "attention_distance", "attention_entropy", "similarity", "norms", "cka", "positions", "filters", "position_bias",
)  # fmt: skip
"""Names of all figures that there may be, as they stand on the page; each has a picture in two forms and a table."""
PAGE, INDEX = "index.html", "inspection.json"
OWN_FILES = (PAGE, INDEX, *(f"{name}.{suffix}" for name in FIGURES for suffix in ("png", "svg", "parquet")))


class InspectionFolder:
    """Know the files of an inspection. What is there stays as it is until all that is new can be written.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.page, self.index = path / PAGE, path / INDEX

    @classmethod
    def prepare(cls, out: Path, overwrite: bool = False) -> InspectionFolder:
        """Make the folder, and refuse to harm what is in it.

        Args:
            out: where.
            overwrite: let the inspection that is there be replaced.

        Returns:
            The folder, which exists and can be written.

        Raises:
            ConfigError: if it is in use, is no folder, or cannot be written.
        """
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file", hint="give a folder")
        folder = cls(out)
        if out.is_dir() and any(out.iterdir()):
            if not folder.index.is_file():
                raise ConfigError(f"--out {out} is not empty and holds no inspection", hint="give a new folder")
            if not overwrite:
                hint = "give --overwrite to replace it, or a new folder"
                raise ConfigError(f"--out {out} already holds an inspection", hint=hint)
        try:
            with storage(out):
                out.mkdir(parents=True, exist_ok=True)
                probe = out / ".vitrail-can-write"
                probe.touch()
                probe.unlink()
        except StorageError as error:
            raise ConfigError(error.message, error.hint) from error
        return folder

    def write(self, page: str, index: dict[str, Any], files: dict[str, bytes]) -> None:
        """Replace what is there by a new inspection.

        Args:
            page: the HTML document.
            index: the summary; it is written first, so that a folder that was left half-written is known as ours.
            files: name → content of figures and tables.

        Raises:
            StorageError: if the disk refuses.
        """
        with storage(self.path):
            for name in OWN_FILES:
                (self.path / name).unlink(missing_ok=True)
        write_atomically(self.index, json.dumps(index, ensure_ascii=False, indent=1) + "\n")
        for name, content in files.items():
            write_atomically(self.path / name, content)
        write_atomically(self.page, page)
