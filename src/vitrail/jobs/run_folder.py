"""The folder that a training leaves behind."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError, StorageError
from vitrail.core.files import append_line, storage, write_atomically
from vitrail.data.loader import BadFile
from vitrail.jobs.explanation_folder import ExplanationFolder
from vitrail.weights.reference import MODEL_NAME

OWN_FILES = (
    MODEL_NAME, "config.toml", "metrics.jsonl", "log.txt", "report.html", "predictions.parquet", "bad_files.csv",
    "last/checkpoint.safetensors",
)  # fmt: skip


class RunFolder:
    """Know the files of a run.

    Args:
        path: the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.model = path / MODEL_NAME
        self.config = path / "config.toml"
        self.metrics = path / "metrics.jsonl"
        self.log = path / "log.txt"
        self.report = path / "report.html"
        self.predictions = path / "predictions.parquet"
        self.bad_files = path / "bad_files.csv"
        self.tensorboard = path / "tensorboard"
        self.checkpoint = path / "last" / "checkpoint.safetensors"
        self.explanations = ExplanationFolder(path / "explanations")

    @classmethod
    def prepare(cls, out: Path | None, name: str, resume: bool, overwrite: bool) -> RunFolder:
        """Choose and make the folder, and refuse to harm what is in it.

        Args:
            out: where; None for the first free one of runs/NAME, runs/NAME-2, …
            name: what to call it when `out` is None.
            resume: go on with the run that is there.
            overwrite: replace the run that is there.

        Returns:
            The folder, which exists and can be written.

        Raises:
            ConfigError: if the folder is in use or cannot be written, or there is nothing to resume.
        """
        if resume and overwrite:
            raise ConfigError("resume and overwrite were both given", hint="give one of them")
        if out is None:
            if resume:
                raise ConfigError("--resume needs to know which run", hint="give its folder with --out")
            candidates = (Path("runs") / (name if number == 1 else f"{name}-{number}") for number in range(1, 10**6))
            out = next(candidate for candidate in candidates if not candidate.exists())
        folder = cls(out)
        if out.exists() and not out.is_dir():
            raise ConfigError(f"--out {out} is a file", hint="give a folder")
        used = out.is_dir() and any(out.iterdir())
        if resume and not folder.checkpoint.is_file():
            raise ConfigError(f"--resume: {out} holds no checkpoint", hint="leave --resume out to begin a run there")
        if used and not resume:
            if not folder.config.is_file():
                raise ConfigError(f"--out {out} is not empty and holds no run", hint="give a new folder")
            if not overwrite:
                raise ConfigError(
                    f"--out {out} already holds a run", hint="give --resume to go on, --overwrite to replace it"
                )
        try:
            folder._make(overwrite)
        except StorageError as error:
            raise ConfigError(error.message, error.hint) from error
        return folder

    def _make(self, overwrite: bool) -> None:
        with storage(self.path):
            self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".vitrail-can-write"
            probe.touch()
            probe.unlink()
            if overwrite:
                for own in OWN_FILES:
                    (self.path / own).unlink(missing_ok=True)
                self.explanations.clear()
                for events in self.tensorboard.glob("events.out.tfevents.*"):
                    events.unlink()

    def write_log(self, text: str) -> None:
        """Add a line to `log.txt`.

        Args:
            text: the line.
        """
        with storage(self.log), self.log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")

    def write_metrics(self, record: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`.

        Args:
            record: figures of one epoch.
        """
        append_line(self.metrics, record)

    def read_metrics(self) -> list[dict[str, Any]]:
        """Read `metrics.jsonl`.

        Returns:
            One record an epoch; a last line that was cut off is left out.
        """
        records = []
        if self.metrics.is_file():
            for line in self.metrics.read_text(encoding="utf-8").splitlines():
                try:
                    records.append(json.loads(line))
                except ValueError:
                    break
        return records

    def forget_metrics_after(self, step: int) -> None:
        """Drop the lines that a run wrote after the checkpoint from which it goes on.

        Args:
            step: steps done at the checkpoint.
        """
        kept = [record for record in self.read_metrics() if record["step"] <= step]
        write_atomically(self.metrics, "".join(json.dumps(record) + "\n" for record in kept))

    def write_bad_files(self, bad: Iterable[tuple[str, BadFile]]) -> None:
        """Write `bad_files.csv`: every image that could not be used, with its reason.

        Args:
            bad: (split, file); nothing is written if there are none.
        """
        rows = sorted((split, file.name, file.reason) for split, file in bad)
        if rows:
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(["split", "path", "reason"])
            writer.writerows(rows)
            write_atomically(self.bad_files, text.getvalue())

    def write_predictions(self, columns: dict[str, Sequence[Any]]) -> None:
        """Write `predictions.parquet`.

        Args:
            columns: name → values, all of one length.
        """
        import pyarrow
        import pyarrow.parquet

        with storage(self.predictions):
            sink = pyarrow.BufferOutputStream()
            pyarrow.parquet.write_table(pyarrow.table(columns), sink)
            write_atomically(self.predictions, sink.getvalue().to_pybytes())
