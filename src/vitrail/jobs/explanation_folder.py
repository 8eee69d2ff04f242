"""The folder that `explain` leaves behind: one picture an image, a page, and the numbers of all of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError, StorageError
from vitrail.core.files import storage, write_atomically

INDEX_NAME = "explanations.json"
PAGE_NAME, MAPS_NAME, CURVES_NAME = "explanations.html", "explanations.parquet", "faithfulness.parquet"
MAX_NAME = 200
"""Bytes of a picture's name before its number and suffix; file systems allow 255 in all."""


class ExplanationFolder:
    """Know the files of some explanations.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = path / INDEX_NAME

    @classmethod
    def prepare(cls, out: Path, inputs: Sequence[str] = (), overwrite: bool = False) -> ExplanationFolder:
        """Make the folder, and refuse to harm what is in it.

        Args:
            out: where.
            inputs: the images, none of which may be overwritten.
            overwrite: replace the explanations that are there.

        Returns:
            The folder, which exists and can be written; its index lists nothing yet.

        Raises:
            ConfigError: if it is in use, is no folder, holds an input, or cannot be written.
        """
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file", hint="give a folder")
        folder = cls(out)
        if out.is_dir() and any(out.iterdir()):
            if not folder.index.is_file():
                raise ConfigError(f"--out {out} is not empty and holds no explanations", hint="give a new folder")
            if not overwrite:
                hint = "give --overwrite to replace them, or a new folder"
                raise ConfigError(f"--out {out} already holds explanations", hint=hint)
        own = {file.name: file for file in folder.own_files()}
        for name in inputs:
            file = own.get(os.path.basename(name))
            if file is not None and os.path.samefile(file, name):
                raise ConfigError(f"--out {out} holds {name}, which is one of the inputs", hint="give another folder")
        try:
            folder.clear()
            folder.write_index([])
        except StorageError as error:
            raise ConfigError(error.message, error.hint) from error
        return folder

    def own_files(self) -> list[Path]:
        """List the pictures that the index names.

        Returns:
            Those that are there; none if there is no index, or it is not one of ours.
        """
        try:
            records = json.loads(self.index.read_text(encoding="utf-8"))["explanations"]
            names = [str(name) for record in records for name in record["files"]]
        except (OSError, ValueError, KeyError, TypeError):
            return []
        files = [self.path / name for name in names if Path(name).name == name and name.endswith(".png")]
        return [file for file in files if file.is_file()]

    def clear(self) -> None:
        """Remove the index, the pictures it names, the page and the tables, and nothing else.

        Raises:
            StorageError: if the disk refuses.
        """
        with storage(self.path):
            for file in self.own_files():
                file.unlink()
            for name in (PAGE_NAME, MAPS_NAME, CURVES_NAME) if self.index.is_file() else ():
                (self.path / name).unlink(missing_ok=True)
            self.index.unlink(missing_ok=True)

    def write_picture(self, name: str, content: bytes) -> Path:
        """Write a picture under a name that is free.

        Args:
            name: path of the image, whose last part without its suffix the picture is called after.
            content: the encoded PNG.

        Returns:
            The file: such as `cat.png`, or `cat-2.png` if there is one already.

        Raises:
            StorageError: if the disk refuses.
        """
        stem = Path(name).stem or "image"
        while len(os.fsencode(stem)) > MAX_NAME:
            stem = stem[:-1]
        with storage(self.path):
            taken = {one.casefold() for one in os.listdir(self.path)}
        names = (f"{stem}.png" if number == 1 else f"{stem}-{number}.png" for number in range(1, len(taken) + 2))
        file = self.path / next(one for one in names if one.casefold() not in taken)
        write_atomically(file, content)
        return file

    def write_index(self, records: Iterable[dict[str, Any]]) -> None:
        """Write the numbers of all explanations.

        Args:
            records: one an image.

        Raises:
            StorageError: if the disk refuses.
        """
        lines = ",".join("\n" + json.dumps(record, ensure_ascii=False) for record in records)
        write_atomically(self.index, f'{{"explanations": [{lines}\n]}}\n')

    def write_rest(self, page: str, maps: bytes, curves: bytes | None) -> None:
        """Write what is about all images.

        Args:
            page: the HTML.
            maps: the table of maps.
            curves: the table of curves; None for none.

        Raises:
            StorageError: if the disk refuses.
        """
        for name, content in ((PAGE_NAME, page), (MAPS_NAME, maps), (CURVES_NAME, curves)):
            if content is not None:
                write_atomically(self.path / name, content)
