"""What a job tells while it works; the command line shows it, a library user may listen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitrail.train.loop import EpochDone, StepDone


@dataclass(frozen=True)
class Note:
    """Tell of a decision or a fact.

    Args:
        text: one sentence.
        warning: whether the user should act on it.
    """

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Started:
    """Tell that training begins.

    Args:
        total_steps: steps of the whole training.
        steps_per_epoch: steps of one epoch.
        first_step: steps already done, when resumed.
    """

    total_steps: int
    steps_per_epoch: int
    first_step: int


@dataclass(frozen=True)
class Evaluated:
    """Tell of an evaluation between epochs.

    Args:
        epoch: epoch number, from 0.
        record: the line written to `metrics.jsonl`.
        best: whether it is the best so far.
    """

    epoch: int
    record: dict[str, Any]
    best: bool


@dataclass(frozen=True)
class Finished:
    """Tell that a training was measured at the end.

    Args:
        split: on which images.
        metrics: what `classification_metrics` gives.
        settings: dotted key → value of everything that decided the run.
    """

    split: str
    metrics: dict[str, Any]
    settings: dict[str, str]


@dataclass(frozen=True)
class Advanced:
    """Tell how far a part of a job has come.

    Args:
        what: the part, in a few words.
        done: how much of it is done.
        total: how much there is to do.
    """

    what: str
    done: int
    total: int


Event = Note | Advanced | Started | StepDone | EpochDone | Evaluated | Finished
Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """Listen to nothing.

    Args:
        event: ignored.
    """
