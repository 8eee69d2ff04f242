"""Classify files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from vitrail.core.errors import DataError
from vitrail.data.decode import is_image_name
from vitrail.jobs.answers import AnswerFile
from vitrail.jobs.predictor import Prediction, load
from vitrail.weights.reference import Reference


def predict_paths(
    reference: Reference, paths: Sequence[str], out: str | None = None, top: int = 1, device: str | None = "cpu"
) -> Iterator[Prediction]:
    """Classify images named by path, and write the answers as they come.

    Args:
        reference: a run folder or model file.
        paths: files, folders (all images below), or glob patterns.
        out: `.csv`, `.json`, `.jsonl` or `.parquet` to write; None for none.
        top: how many classes to name.
        device: where to compute; None or "auto" for the fastest there is.

    Returns:
        One answer for each image, in order; consumed as a stream, the file is complete when it ends.

    Raises:
        WeightsError: if the model cannot be loaded.
        DataError: if a path is missing or holds no image, or `out` has another suffix or cannot be written.
        StorageError: if writing fails midway.
    """
    files = expand_paths(paths)
    predictor = load(reference, device)
    stream = predictor.stream(files, top)
    return stream if out is None else AnswerFile.open(Path(out), files).write(stream)


def expand_paths(paths: Iterable[str]) -> list[str]:
    """Turn files, folders and patterns into a list of files.

    Args:
        paths: what the user named.

    Returns:
        Files in the order named; those of a folder or pattern sorted.

    Raises:
        DataError: if one is missing or stands for no image.
    """
    files: list[str] = []
    for path in paths:
        if os.path.isdir(path):
            found = [
                os.path.join(folder, name)
                for folder, folders, names in os.walk(path)
                if folders.sort() is None
                for name in sorted(names)
                if is_image_name(name) and not name.startswith(".")
            ]
            if not found:
                raise DataError(
                    f"{path}: no image in this folder", hint="images end in .jpg, .png, .webp, .bmp, .gif, .tif …"
                )
            files += found
        elif os.path.isfile(path):
            files.append(path)
        elif glob.has_magic(path):
            found = sorted(name for name in glob.glob(path, recursive=True) if os.path.isfile(name))
            if not found:
                raise DataError(f"{path}: no file fits this pattern")
            files += found
        else:
            raise DataError(f"{path}: no such file or folder", hint="give images, folders of images, or glob patterns")
    return files
