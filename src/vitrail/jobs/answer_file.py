"""A file of answers, written as they come under a temporary name, and renamed when all are there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Generic, TypeVar

from vitrail.core.errors import DataError, StorageError
from vitrail.core.files import storage
from vitrail.jobs.inputs import Inputs

Answer = TypeVar("Answer")
Writer = Callable[[IO[bytes]], AbstractContextManager[Callable[[Answer], None]]]
"""An open file → a context that gives what adds an answer to it, and ends it when it is left."""


class AnswerFile(Generic[Answer]):
    """Stand for a file that is either whole or not there.

    Args:
        path: final name.
        inputs: the images that the answers are for.

    Raises:
        DataError: if it is one of the inputs or a folder, or cannot be written.
    """

    def __init__(self, path: Path, inputs: Inputs) -> None:
        inputs.refuse(path)
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        if path.is_dir():
            raise DataError(f"--out {path} is a folder", hint="give a file name")
        try:
            with storage(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                self.temporary.open("wb").close()
                self.temporary.unlink()
        except StorageError as error:
            raise DataError(error.message, error.hint) from error

    def write(self, answers: Iterator[Answer], writer: Writer[Answer]) -> Iterator[Answer]:
        """Write answers as they pass.

        Args:
            answers: what to write.
            writer: the format.

        Yields:
            The same answers.

        Raises:
            StorageError: if the disk refuses. Whatever stops it, no half of a file is left.
        """
        try:
            with storage(self.path):
                with self.temporary.open("wb") as file:
                    with writer(file) as add:
                        for answer in answers:
                            add(answer)
                            yield answer
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(self.temporary, self.path)
        finally:
            with suppress(OSError):
                self.temporary.unlink()
