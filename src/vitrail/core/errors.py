"""The error tree: whatever a caller can get wrong has a name, a message and a hint.

VitrailError                   exit code 2 unless said otherwise
├── UsageError                 the command line itself (flags, verbs)
├── ConfigError                a field, a name of a table, a combination of settings
├── DataError                  a data reference or what lies in it
│   └── ImageError             one image that cannot be used
├── WeightsError               a model reference, a model file, a checkpoint
├── NonFiniteError             training met NaN or infinity (exit code 3)
├── StorageError               a disk that is full, read-only or missing (exit code 74)
└── Interrupted                stopped by a signal after a checkpoint (exit code 130 or 143)
"""

from __future__ import annotations


class VitrailError(Exception):
    """Stand for anything that the caller can mend.

    Args:
        message: what is wrong, where, the value that was given and what is allowed.
        hint: the next thing to try; empty if there is none.
    """

    exit_code = 2

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[type[VitrailError], tuple[object, ...]]:
        return type(self), (self.message, self.hint)


class UsageError(VitrailError):
    """Say that the command line cannot be understood."""


class ConfigError(VitrailError):
    """Say that a setting has a name or a value that is not allowed."""


class DataError(VitrailError):
    """Say that a data reference, or what lies in it, cannot be used."""


class ImageError(DataError):
    """Say that one image cannot be decoded or is not allowed."""


class WeightsError(VitrailError):
    """Say that a model reference, a model file or a checkpoint cannot be used."""


class NonFiniteError(VitrailError):
    """Say that training met NaN or infinity and stopped before spoiling the weights."""

    exit_code = 3


class StorageError(VitrailError):
    """Say that writing failed: disk full, read-only, or a folder that is gone."""

    exit_code = 74


class Interrupted(VitrailError):
    """Say that a signal stopped the work after a checkpoint.

    Args:
        message: what was saved, and where.
        hint: how to go on.
        signal_number: 2 (Ctrl-C, exit code 130) or 15 (SIGTERM, exit code 143).
    """

    def __init__(self, message: str, hint: str = "", signal_number: int = 2) -> None:
        super().__init__(message, hint)
        self.exit_code = 128 + signal_number

    def __reduce__(self) -> tuple[type[VitrailError], tuple[object, ...]]:
        return type(self), (self.message, self.hint, self.exit_code - 128)
