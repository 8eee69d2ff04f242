"""Whether another machine may be asked for anything: `--offline` forbids it for as long as a job lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_ALLOWED: ContextVar[bool] = ContextVar("network", default=True)


@contextmanager
def network(allowed: bool) -> Iterator[None]:
    """Allow or forbid the network to everything in the block; what was forbidden before stays so.

    Args:
        allowed: whether what is missing on this machine may be fetched.

    Yields:
        Nothing.
    """
    before = _ALLOWED.set(allowed and _ALLOWED.get())
    try:
        yield
    finally:
        _ALLOWED.reset(before)


def network_allowed() -> bool:
    """Say whether what is missing on this machine may be fetched.

    Returns:
        False within `network(False)`.
    """
    return _ALLOWED.get()
