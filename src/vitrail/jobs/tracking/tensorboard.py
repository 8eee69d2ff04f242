"""TensorBoard event files in the run folder; look at them with `tensorboard --logdir runs`."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail.core.errors import ConfigError
from vitrail.core.files import storage
from vitrail.jobs.events import Evaluated, Event, Finished, Started
from vitrail.jobs.run_folder import RunFolder
from vitrail.jobs.tally import Tally
from vitrail.train.loop import StepDone

POINTS = 500
"""About so many points a curve of a whole training has."""


class TensorBoard:
    """Write loss, learning rate, accuracy and speed while training, validation each epoch, settings and result at last.

    Raises:
        ConfigError: if the package is not installed.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("tensorboard") is None:
            raise ConfigError(
                "tracking with tensorboard needs the package tensorboard, which is not installed",
                hint="pip install 'vitrail[track]', or uv sync --extra track",
            )
        self.folder = Path()
        self.writer: Any = None
        self.tally = Tally()
        self.every = self.total = 1

    def open(self, run: Path) -> None:
        """Choose where to write.

        Args:
            run: the run folder.
        """
        self.folder = RunFolder(run).tensorboard

    def __call__(self, event: Event) -> None:
        """Write the figures of an event.

        Args:
            event: what the job tells.

        Raises:
            StorageError: if the disk refuses.
        """
        with storage(self.folder):
            if isinstance(event, Started):
                self._start(event)
            elif isinstance(event, StepDone):
                self._step(event)
            elif isinstance(event, Evaluated):
                record = event.record
                self._scalars(
                    record["step"], {"accuracy/validation": record["val_top1"], "loss/validation": record["val_nll"]}
                )
                self.writer.flush()
            elif isinstance(event, Finished):
                self._finish(event)

    def close(self) -> None:
        """Flush and close the file."""
        if self.writer is not None:
            with storage(self.folder):
                self.writer.close()

    def _start(self, event: Started) -> None:
        """Begin a file; steps that a session wrote after the checkpoint from which this one goes on are purged."""
        from torch.utils.tensorboard import SummaryWriter

        purge = event.first_step + 1 if event.first_step else None
        self.writer = SummaryWriter(self.folder, purge_step=purge)
        self.every = min(event.steps_per_epoch, max(1, event.total_steps // POINTS))
        self.total = event.total_steps

    def _step(self, event: StepDone) -> None:
        self.tally.add(event)
        if event.step % self.every and event.step != self.total:
            return
        figures = self.tally.figures()
        self.tally = Tally()
        if not figures["images"]:
            return
        self._scalars(
            event.step,
            {
                "loss/training": figures["loss"],
                "accuracy/training": figures["train_top1"],
                "training/learning_rate": event.lr,
                "training/images_per_second": figures["images_per_second"],
            },
        )

    def _scalars(self, step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            self.writer.add_scalar(name, value, step)

    def _finish(self, event: Finished) -> None:
        from torch.utils.tensorboard.summary import hparams

        figures = {f"{event.split}/{name}": value for name, value in event.metrics.items() if isinstance(value, float)}
        settings = {name: _number(value) for name, value in event.settings.items()}
        for part in hparams(settings, figures):  # type: ignore[no-untyped-call]  # add_hparams makes a run of its own
            self.writer.file_writer.add_summary(part)
        after = self.total + 1  # so that a finished run that is resumed purges it, and nothing else
        self._scalars(after, figures)
        rows = [*figures.items(), *event.settings.items()]
        table = "\n".join(f"| {name} | {_cell(value)} |" for name, value in rows)
        self.writer.add_text("run", f"| | |\n|---|---|\n{table}", after)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
