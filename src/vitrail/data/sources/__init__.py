"""Where images come from: one file a source, one row in `SOURCES` for each that has a name of its own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence

from vitrail.core.errors import DataError
from vitrail.core.table import Table, nearest
from vitrail.data.dataset import Dataset
from vitrail.data.decode import is_image_name
from vitrail.data.sources import digits, fashion_mnist, folder, table_file
from vitrail.data.sources.listing import Listing
from vitrail.data.sources.settling import settle

__all__ = ["SOURCES", "list_data", "open_dataset"]

SOURCES: Table[Callable[[], Listing]] = Table(
    "data source", {"digits": digits.read, "fashion-mnist": fashion_mnist.read}, error=DataError
)

ALLOWED = f"a folder of class folders, a .csv or .parquet with path,label[,split], or one of {', '.join(SOURCES)}"
ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")


def open_dataset(
    reference: str | os.PathLike[str],
    seed: int = 0,
    classes: Sequence[str] | None = None,
    made: Sequence[str] | None = None,
) -> Dataset:
    """Open a data reference.

    Args:
        reference: a name in `SOURCES`, a folder, or a `.csv` or `.parquet` file. A path object is never a name.
        seed: seed of the run, which decides what is set aside where splits are not given.
        classes: class map of a trained model, which the data's classes are matched to by name; None when training.
        made: with `classes`: splits that were set aside when the model was trained (`Dataset.made_splits`). The same
            images are then set aside again.

    Returns:
        The data set, its splits and the notes on what was decided.

    Raises:
        DataError: if the reference names nothing, or what it names cannot be used.
    """
    return settle(list_data(reference), os.fspath(reference), seed, classes, made)


def list_data(reference: str | os.PathLike[str]) -> Listing:
    """List what a data reference holds, as it is found: no split is made, no class refused.

    Args:
        reference: as for `open_dataset`.

    Returns:
        The listing.

    Raises:
        DataError: if the reference names nothing, or what it names cannot be read.
    """
    text = os.fspath(reference)
    if isinstance(reference, str) and reference in SOURCES:
        listing = SOURCES[reference]()
        if os.path.isdir(text):
            note = f"{text!r} is the data set of that name; write {os.path.join('.', text)} for the folder"
            listing = dataclasses.replace(listing, notes=(*listing.notes, note))
    elif os.path.isdir(text):
        listing = folder.read(text)
    elif os.path.isfile(text) and os.path.splitext(text)[1].lower() in table_file.READERS:
        listing = table_file.read(text)
    else:
        raise _unusable(text)
    return listing


def _unusable(text: str) -> DataError:
    if not os.path.lexists(text):
        parent, name = os.path.split(text.rstrip("/\\"))
        try:
            beside = [entry for entry in os.listdir(parent or ".") if not entry.startswith(".")]
        except (OSError, ValueError):
            beside = []
        close = [os.path.join(parent, entry) for entry in nearest(name, [*([] if parent else SOURCES), *beside])]
        return DataError(
            f"{text!r}: no such file or folder, and no data set of that name",
            hint=f"did you mean {' or '.join(close)}?" if close else f"give {ALLOWED}",
        )
    if is_image_name(text):
        return DataError(f"{text} is an image; a data set is needed", hint=f"give {ALLOWED}")
    if text.lower().endswith(ARCHIVES):
        return DataError(f"{text} is an archive; a data set is needed", hint=f"unpack it; then give {ALLOWED}")
    return DataError(f"{text} is no data set", hint=f"give {ALLOWED}")
