"""What a tracker is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from vitrail.jobs.events import Event


class Tracker(Protocol):
    """Listen to a training and keep its figures somewhere.

    Making one is cheap and says at once if what it needs is missing; nothing is written before `open`.
    """

    def open(self, run: Path) -> None:
        """Begin.

        Args:
            run: the run folder, which exists.
        """

    def __call__(self, event: Event) -> None:
        """Hear of something.

        Args:
            event: what the job tells, in order; `Started` comes before any figure.
        """

    def close(self) -> None:
        """End; what was told is then safely written."""
