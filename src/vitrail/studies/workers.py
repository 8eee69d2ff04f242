"""Runs one after another, or side by side in processes that last as long as the study."""

from __future__ import annotations

import multiprocessing
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from vitrail.core.errors import VitrailError
from vitrail.studies.results import Record
from vitrail.studies.task import Task, carry_out

Next = Callable[[], Task | None]
"""Hand out the next run; None if there is none now."""


def run_all(choose: Next, processes: int) -> Iterator[tuple[Record, float]]:
    """Do runs until none is left.

    Args:
        choose: says what comes next; it is asked again after each run.
        processes: how many at once; 1 for this process alone.

    Yields:
        What each run gave, as it ends, and the seconds it took.

    Raises:
        VitrailError: what a run raised, or that a process died.
    """
    if processes > 1:
        yield from _side_by_side(choose, processes)
        return
    while (task := choose()) is not None:
        clock = time.perf_counter()
        record = carry_out(task)
        yield record, time.perf_counter() - clock


def _side_by_side(choose: Next, processes: int) -> Iterator[tuple[Record, float]]:
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    idle: list[Connection] = []
    busy: dict[Connection, tuple[Task, float]] = {}
    workers: list[BaseProcess] = []
    try:
        while True:
            task = choose() if len(busy) < processes else None
            if task is not None:
                if not idle:
                    ours, theirs = context.Pipe()
                    workers.append(context.Process(target=_work, args=(theirs,), daemon=True))
                    workers[-1].start()
                    theirs.close()
                    idle.append(ours)
                connection = idle.pop()
                connection.send(task)
                busy[connection] = task, time.perf_counter()
                continue
            if not busy:
                return
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                record = _answer(ready, busy[ready][0])
                _, clock = busy.pop(ready)
                idle.append(ready)
                yield record, time.perf_counter() - clock
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _answer(connection: Connection, task: Task) -> Record:
    try:
        answer = connection.recv()
    except EOFError:
        raise VitrailError(
            f"the process that trained {task.cell!r} with seed {task.seed} died",
            hint="it may have run out of memory: give --processes 1; the same command goes on",
        ) from None
    if isinstance(answer, Exception):
        raise answer
    assert isinstance(answer, Record)
    return answer


def _work(connection: Connection) -> None:
    """Be a process that does what it is told; whoever started it decides when it stops."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with closing(connection), suppress(EOFError, BrokenPipeError):
        while True:
            task = connection.recv()
            try:
                answer: Record | Exception = carry_out(task)
            except Exception as error:
                error.add_note(traceback.format_exc())  # it is lost on the way
                answer = error
            connection.send(answer)
