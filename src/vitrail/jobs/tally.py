"""What the steps of an epoch add up to, times included; a run that is resumed in the middle of one goes on counting."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitrail.train.loop import StepDone


@dataclass
class Tally:
    """Add up the steps of one epoch.

    Args:
        loss: sum over the images.
        correct: images classified rightly while learning.
        images: images seen.
        reading: seconds before the first step of a session: opening the data, decoding what lives in memory.
        preparing: seconds spent waiting for batches: loading, augmentation and mixing.
        learning: seconds spent in forward and backward passes and updates.
        elapsed: seconds that the sessions before this one took altogether; not of this epoch alone.
    """

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    reading: float = 0.0
    preparing: float = 0.0
    learning: float = 0.0
    elapsed: float = 0.0

    def add(self, event: StepDone) -> None:
        """Count a step.

        Args:
            event: what the loop tells of it.
        """
        self.loss += event.loss * event.images
        self.correct += event.correct
        self.images += event.images
        self.preparing += event.waiting
        self.learning += event.seconds - event.waiting

    def figures(self) -> dict[str, Any]:
        """Give what the epoch's line of `metrics.jsonl` says of training.

        Returns:
            Means over the images, speed, and where the time went.
        """
        return {
            "loss": self.loss / max(1, self.images),
            "train_top1": self.correct / max(1, self.images),
            "images": self.images,
            "images_per_second": self.images / max(1e-9, self.preparing + self.learning),
            "reading_seconds": self.reading,
            "preparing_seconds": self.preparing,
            "learning_seconds": self.learning,
            "peak_memory_mb": peak_memory() / 1e6,
        }


def peak_memory() -> int:
    """Say how much memory this process has held at most; workers that decode images are not counted.

    Returns:
        Bytes; 0 where the operating system does not tell.
    """
    with suppress(OSError, ValueError, IndexError):  # Linux; `getrusage` would count what the parent held at the fork
        line = Path("/proc/self/status").read_text(encoding="ascii").partition("VmHWM:")[2]
        return int(line.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
