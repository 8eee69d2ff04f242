"""The folder of a study: its plan, and one whole file for each finished run."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from vitrail.core.errors import ConfigError, DataError
from vitrail.core.files import sha256, write_atomically
from vitrail.core.toml import read_toml, write_toml
from vitrail.studies.plan import StudyPlan
from vitrail.studies.results import Record


class Journal:
    """Keep what was done, so that nothing is done twice.

    Args:
        folder: of the study; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan_file, self.runs = folder / "plan.toml", folder / "runs"

    def read_plan(self) -> StudyPlan | None:
        """Read the plan.

        Returns:
            The plan, or None where none was made.

        Raises:
            ConfigError: if it cannot be read.
        """
        return read_toml(self.plan_file, StudyPlan) if self.plan_file.exists() else None

    def write_plan(self, plan: StudyPlan) -> None:
        """Write the plan.

        Args:
            plan: what decides the runs.

        Raises:
            StorageError: if the disk refuses.
        """
        write_toml(self.plan_file, plan, "vitrail: everything that decides the runs of this study")

    def begin_again(self) -> None:
        """Forget the plan and the runs; other files stay until they are written anew."""
        for path in (self.plan_file, *self.runs.glob("*.json"), *self.runs.glob("*.safetensors")):
            path.unlink(missing_ok=True)

    def stem(self, cell: str, seed: int) -> Path:
        """Name the files of a run.

        Args:
            cell: name of its cell.
            seed: its seed.

        Returns:
            Path without suffix: the seed, the name in letters that any disk takes, and a few digits of its hash.
        """
        plain = re.sub(r"[^a-z0-9]+", "-", cell.lower()).strip("-")
        return self.runs / f"{seed:03d}-{plain}-{sha256(cell.encode())[:6]}"

    def model_file(self, cell: str, seed: int) -> Path:
        """Name the file of a run's weights, which exists for cells that others start from.

        Args:
            cell: name of its cell.
            seed: its seed.

        Returns:
            A path.
        """
        return self.stem(cell, seed).with_suffix(".safetensors")

    def write(self, record: Record) -> None:
        """Write a finished run.

        Args:
            record: what it gave.

        Raises:
            StorageError: if the disk refuses.
        """
        content = {"cell": record.cell, "seed": record.seed, "steps": record.steps, "figures": _named(record.figures)}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        write_atomically(self.stem(record.cell, record.seed).with_suffix(".json"), text + "\n")

    def read(self, plan: StudyPlan) -> list[Record]:
        """Read the finished runs.

        Args:
            plan: whose cells and seeds are wanted.

        Returns:
            Records, seed after seed, in the order of the cells.

        Raises:
            DataError: if a file of a run cannot be read.
        """
        records = []
        for seed in range(plan.seeds):
            for cell in plan.names:
                path = self.stem(cell, seed).with_suffix(".json")
                if path.exists():
                    records.append(_read(path))
        return records

    def write_table(self, records: Sequence[Record]) -> Path:
        """Write all runs as one table.

        Args:
            records: of all runs.

        Returns:
            The Parquet file: cell, seed, steps, and one column for each figure.

        Raises:
            StorageError: if the disk refuses.
        """
        import pyarrow
        import pyarrow.parquet

        names = list(dict.fromkeys(name for record in records for name in record.figures))
        columns = {
            "cell": [record.cell for record in records],
            "seed": [record.seed for record in records],
            "steps": [record.steps for record in records],
            **{name: [record.figures.get(name) for record in records] for name in names},
        }
        sink = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), sink)
        path = self.folder / "runs.parquet"
        write_atomically(path, sink.getvalue())
        return path


def prepare_journal(folder: Path, overwrite: bool) -> Journal:
    """Open the folder of a study.

    Args:
        folder: which.
        overwrite: whether its runs are forgotten.

    Returns:
        The journal.

    Raises:
        ConfigError: if the folder is a file, or holds other things than a study.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out {folder} is a file", hint="give a folder")
    journal = Journal(folder)
    if folder.is_dir() and any(folder.iterdir()) and not journal.plan_file.exists():
        raise ConfigError(f"--out {folder} holds other things than a study", hint="give a new or empty folder")
    if overwrite:
        journal.begin_again()
    return journal


def _named(figures: Mapping[str, float]) -> dict[str, float | str]:
    """Write numbers that JSON does not have as words."""
    return {name: value if math.isfinite(value) else str(value) for name, value in figures.items()}


def _read(path: Path) -> Record:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        figures = {name: float(value) for name, value in content["figures"].items()}
        return Record(content["cell"], content["seed"], content["steps"], figures)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: cannot be read as a run ({error})", hint="delete the file: the run is done again"
        ) from error
