"""What a person sees while a job works: notes and a progress bar, on stderr."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vitrail.jobs.events import Advanced, Evaluated, Event
    from vitrail.train.loop import StepDone


def print_json(value: Any) -> None:
    """Print one JSON object on stdout.

    Args:
        value: plain data; numbers that are not finite become null.
    """
    print(json.dumps(_finite(value), ensure_ascii=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Console:
    """Listen to a job and show its events; be used as a context, so that the bar is closed."""

    def __init__(self) -> None:
        from rich.console import Console as RichConsole
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.console = RichConsole(stderr=True, highlight=False, soft_wrap=True)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.task: Any = None
        self.loss = self.accuracy = self.speed = 0.0
        self.validation = ""

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, event: Event) -> None:
        """Show one event.

        Args:
            event: what a job tells.
        """
        from rich.text import Text

        from vitrail.jobs.events import Advanced, Evaluated, Note, Started
        from vitrail.train.loop import StepDone

        if isinstance(event, Note):
            mark = ("warning: ", "yellow") if event.warning else ("· ", "dim")
            self.console.print(Text.assemble(mark, event.text))
        elif isinstance(event, Advanced):
            self._advanced(event)
        elif isinstance(event, Started):
            self.task = self.progress.add_task(
                "training", total=event.total_steps, completed=event.first_step, figures=""
            )
            self.progress.start()
        elif isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, Evaluated):
            self._evaluated(event)

    def _advanced(self, event: Advanced) -> None:
        if self.task is None or self.progress.tasks[-1].description != event.what:
            if self.task is not None:
                self.progress.remove_task(self.task)
            self.task = self.progress.add_task(event.what, total=event.total, figures="")
            self.progress.start()
        self.progress.update(self.task, completed=event.done)
        if event.done >= event.total:
            self.progress.remove_task(self.task)
            self.task = None

    def _step(self, event: StepDone) -> None:
        if not event.images:  # not one of the batch could be used
            return
        share = 0.1 if self.speed else 1.0
        self.loss += share * (event.loss - self.loss)
        self.accuracy += share * (event.correct / event.images - self.accuracy)
        self.speed += share * (event.images / event.seconds - self.speed)
        figures = (
            f"loss {self.loss:.3f}  accuracy {100 * self.accuracy:.1f} %  {self.speed:.0f} images/s{self.validation}"
        )
        self.progress.update(self.task, completed=event.step, figures=figures)

    def _evaluated(self, event: Evaluated) -> None:
        record = event.record
        self.validation = f"  validation {100 * record['val_top1']:.2f} %"
        if not self.console.is_terminal:
            print(
                f"epoch {event.epoch + 1}: loss {record['loss']:.4f}, train {100 * record['train_top1']:.2f} %, "
                f"validation {100 * record['val_top1']:.2f} %{' (best)' if event.best else ''}, "
                f"{record['images_per_second']:.0f} images/s",
                file=sys.stderr,
            )
