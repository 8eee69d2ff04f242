"""Where the figures of a training may go besides its run folder: one file a tracker, one row in `TRACKERS`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vitrail.core.table import Table
from vitrail.jobs.events import Event, Listener
from vitrail.jobs.tracking.base import Tracker
from vitrail.jobs.tracking.tensorboard import TensorBoard

__all__ = ["TRACKERS", "Tracker", "find_tracker", "tracking"]

TRACKERS: Table[type[Tracker]] = Table("tracker", {"tensorboard": TensorBoard})


def find_tracker(track: str | Tracker | None) -> Tracker | None:
    """Turn what the user gave into a tracker that can work.

    Args:
        track: row of `TRACKERS`, or a tracker; None for none.

    Returns:
        The tracker, not yet open.

    Raises:
        ConfigError: if there is none of that name, or the package that it needs is not installed.
    """
    return TRACKERS[track]() if isinstance(track, str) else track


@contextmanager
def tracking(tracker: Tracker | None, run: Path, listener: Listener) -> Iterator[Listener]:
    """Let a tracker hear what a listener hears.

    Args:
        tracker: what to open; None for none.
        run: the run folder.
        listener: is told as before.

    Yields:
        A listener that tells both; the tracker is closed afterwards, whatever happens.

    Raises:
        StorageError: if the tracker cannot write.
    """
    if tracker is None:
        yield listener
        return

    def tell(event: Event) -> None:
        tracker(event)
        listener(event)

    tracker.open(run)
    try:
        yield tell
    finally:
        tracker.close()
