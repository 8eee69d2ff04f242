"""Files that a job will write at its end, looked at before it begins."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vitrail.core.errors import DataError


def refuse_output(path: Path, flag: str, suffix: str, reference: str, inputs: Sequence[str]) -> Path:
    """Make sure that a file can be written, and that none of the data is lost by it. Nothing is made yet.

    Args:
        path: the file.
        flag: argument that names it, such as "write_clean".
        suffix: how its name must end.
        reference: the data reference.
        inputs: files of the data.

    Returns:
        The path.

    Raises:
        DataError: if it ends otherwise, is a folder or one of the inputs, or lies where nothing can be written.
    """
    said = f"--{flag.replace('_', '-')} {path}"
    if path.suffix.lower() != suffix:
        raise DataError(f"{said} does not end in {suffix}", hint=f"give a file name that ends in {suffix}")
    if path.is_dir():
        raise DataError(f"{said} is a folder", hint="give a file name")
    if path.exists() and any(_is_same(path, one) for one in (reference, *inputs)):
        raise DataError(f"{said} is part of the data, which is never changed", hint="give another name")
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise DataError(f"{said}: {folder} is a file", hint="give a file name in a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DataError(f"{said}: nothing can be written to {folder}", hint="give a file name in another folder")
    return path


def _is_same(one: Path, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except (OSError, ValueError):
        return False
