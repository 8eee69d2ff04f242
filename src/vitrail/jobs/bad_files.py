"""Images that cannot be used: collected, named and written; or refused."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence

import numpy as np

from vitrail.core.errors import DataError
from vitrail.data.dataset import Dataset
from vitrail.data.loader import BadFile
from vitrail.data.pixels import stream_pixels
from vitrail.data.spec import ImageSpec
from vitrail.jobs.events import Listener, Note
from vitrail.jobs.run_folder import RunFolder

NAMED = 3
"""How many are named while training; `bad_files.csv` has them all."""
LISTED = 5
"""How many an error lists."""


class BadFiles:
    """Collect the bad files of a run, and tell of them as they are found.

    Args:
        folder: where `bad_files.csv` goes.
        listener: is told of the first few, and then of their number.
    """

    def __init__(self, folder: RunFolder, listener: Listener) -> None:
        self.folder = folder
        self.listener = listener
        self.found: dict[tuple[str, str], BadFile] = {}
        self._told = self._written = 0

    def add(self, split: str, files: Iterable[BadFile]) -> None:
        """Take note of files; those known already count once.

        Args:
            split: where they belong.
            files: what cannot be used, and why.
        """
        for file in files:
            if self.found.setdefault((split, file.name), file) is file and self._told < NAMED:
                self._told += 1
                where = "training" if split == "train" else split
                self.listener(Note(f"left out of {where}: {file.name}: {file.reason}", warning=True))

    def recall(self) -> None:
        """Take up what an earlier session of the run wrote."""
        if self.folder.bad_files.is_file():
            with self.folder.bad_files.open(encoding="utf-8", newline="") as file:
                for row in csv.DictReader(file):
                    self.found.setdefault((row["split"], row["path"]), BadFile(-1, row["path"], row["reason"]))

    def write(self) -> None:
        """Write `bad_files.csv`, if there is anything new to write, and tell how many were not named."""
        if len(self.found) == self._written:
            return
        self.folder.write_bad_files((split, file) for (split, _), file in self.found.items())
        self._written = len(self.found)
        if self._written > self._told:
            unnamed = self._written - self._told
            self.listener(Note(f"… and {unnamed} more; all are listed in bad_files.csv", warning=True))
            self._told = max(self._written, NAMED)


def refuse_bad_files(dataset: Dataset, spec: ImageSpec) -> None:
    """Decode every image of every split, and stop if one cannot be used.

    Args:
        dataset: the opened data.
        spec: what the model takes.

    Raises:
        DataError: naming the first few and their number.
    """
    reasons = []
    for samples in dataset.splits.values():
        if not isinstance(samples.images, np.ndarray):
            for _, _, _, bad in stream_pixels(samples.images, spec, 64):
                reasons += [reason for _, reason in bad]
    if reasons:
        raise refusal(reasons)


def refusal(reasons: Sequence[str]) -> DataError:
    """Word the error of `--strict`.

    Args:
        reasons: of each bad file, its path included.

    Returns:
        The error, which names the first few.
    """
    listed = "; ".join(reasons[:LISTED])
    more = f"; and {len(reasons) - LISTED} more" if len(reasons) > LISTED else ""
    count = "1 image" if len(reasons) == 1 else f"{len(reasons):,} images"
    return DataError(
        f"{count} cannot be used: {listed}{more}", hint="mend or remove them, or leave --strict out to go on without"
    )
