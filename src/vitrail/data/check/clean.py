"""What is worth keeping of a data set: every picture once, and none that cannot be used or has two labels."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path

from vitrail.core.errors import DataError
from vitrail.data.check.survey import Catalogue, Survey
from vitrail.data.sources.listing import UNSPLIT, printable

MEASURED_FIRST = ("test", "val", "train")
"""Of copies in several splits, the one in the first of these is kept: what is measured on stays the same."""


def worth_keeping(survey: Survey) -> list[int]:
    """Choose what to keep.

    Args:
        survey: of a data set.

    Returns:
        Indices of the images, ascending: of each group of copies one, or none if they have several labels, since nobody
        but a person knows which is right.
    """
    catalogue = survey.catalogue
    dropped = {index for index, look in enumerate(survey.looks) if look.reason}
    rank = [MEASURED_FIRST.index(split) if split in MEASURED_FIRST else 0 for split in catalogue.splits]
    for group in survey.groups:
        dropped.update(group.members)
        if len({int(catalogue.labels[index]) for index in group.members}) == 1:
            dropped.remove(min(group.members, key=lambda index: (rank[int(catalogue.split_of[index])], index)))
    return [index for index in range(len(catalogue)) if index not in dropped]


def clean_list(catalogue: Catalogue, kept: Sequence[int], path: Path) -> str:
    """Write a list of images that `vitrail fit` takes.

    Args:
        catalogue: all images.
        kept: indices of those to list.
        path: where the list will be, which relative paths start from.

    Returns:
        Text of a CSV file with the columns path, label and, where splits are given, split.

    Raises:
        DataError: if the images have no files, none is left, or a name cannot stand in a text file.
    """
    if not catalogue.paths:
        raise DataError("these images have no files, so there is nothing to list", hint="leave --write-clean out")
    if not kept:
        raise DataError("not one image is worth keeping", hint="see what is wrong without --write-clean")
    split = catalogue.splits != (UNSPLIT,)
    folder = os.path.realpath(path.parent)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["path", "label", *(["split"] if split else [])])
    for index in kept:
        name = _relative(catalogue.paths[index], folder)
        writer.writerow([name, catalogue.label(index), *([catalogue.split(index)] if split else [])])
    return file.getvalue()


def _relative(path: str, folder: str) -> str:
    """Name a file from a folder on if it lies below it, and from the root if not."""
    whole = os.path.abspath(path)
    inside = os.path.join(os.path.realpath(os.path.dirname(whole)), os.path.basename(whole))
    name = os.path.relpath(inside, folder) if inside.startswith(os.path.join(folder, "")) else whole
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{printable(path)}: this name cannot stand in a text file", hint="rename the file") from None
    return name
