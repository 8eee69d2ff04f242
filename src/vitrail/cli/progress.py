"""How far a job on many images has come: a line on stderr, if that is a terminal, and the sum of it afterwards."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from types import FrameType
from typing import Any, Protocol, TypeVar

from vitrail.core.errors import Interrupted


class _Answer(Protocol):
    @property
    def error(self) -> str | None: ...


Answer = TypeVar("Answer", bound=_Answer)


class Progress:
    """Count answers as they pass.

    Args:
        shown: whether the line may be shown; it would get in the way of answers that are printed on the same terminal.
    """

    def __init__(self, shown: bool = True) -> None:
        self.shown = shown and sys.stderr.isatty()
        self.count = self.failed = 0

    def watch(self, answers: Iterator[Answer]) -> Iterator[Answer]:
        """Count, and show the count.

        Args:
            answers: a stream, closed whatever ends it.

        Yields:
            The same answers.
        """
        with closing(answers), self._line() as update:  # type: ignore[type-var]
            for answer in answers:
                self.count += 1
                self.failed += answer.error is not None
                update(self.count)
                yield answer

    @contextmanager
    def _line(self) -> Iterator[Any]:
        if not self.shown:
            yield lambda count: None
            return
        from rich.console import Console
        from rich.progress import Progress as Line
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.completed:,.0f} images  {task.fields[speed]}"),
            TimeElapsedColumn(),
        )
        with Line(*columns, console=Console(stderr=True), transient=True) as line:
            task = line.add_task("", total=None, speed="")

            def update(count: int) -> None:
                elapsed = line.tasks[0].elapsed or 0.0
                line.update(task, completed=count, speed=f"{count / elapsed:,.0f} a second" if elapsed > 1 else "")

            yield update

    def summarise(self, out: str | None) -> None:
        """Say on stderr what was done.

        Args:
            out: the file that was written; None for none.
        """
        if out is not None:
            print(f"{self.count} answers in {out}", file=sys.stderr)
        if self.failed:
            print(f"warning: {self.failed} of {self.count} images could not be used", file=sys.stderr)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM raise an error, as Ctrl-C does, so that what was begun is cleared away.

    Yields:
        Nothing.

    Raises:
        Interrupted: when the signal comes.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Interrupted("terminated", signal_number=number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
