"""One JSON object on stdout, printed while its list still grows."""

from __future__ import annotations

import json
import sys
from typing import Any

from vitrail.core.errors import VitrailError

ON_STDOUT = "what was answered before this error is on stdout"


class JsonStream:
    """Print an object whose first value is a list; be used as a context, which ends the object.

    If an error ends it, the object gets the keys `error` and `hint`. Nothing is printed before the first item, so an
    error that comes before is printed as any other.

    Args:
        key: of the list.
        others: the keys after it.
    """

    def __init__(self, key: str, others: dict[str, Any]) -> None:
        self.key = key
        self.others = others
        self.count = 0

    def __enter__(self) -> JsonStream:
        return self

    def add(self, item: Any) -> None:
        """Print one item.

        Args:
            item: plain data.
        """
        start = f'{{"{self.key}": [' if not self.count else ","
        print(f"{start}\n{json.dumps(item, ensure_ascii=False)}", end="", flush=not self.count)
        self.count += 1

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            start = f'{{"{self.key}": [' if not self.count else "\n"
            print(f"{start}], {json.dumps(self.others, ensure_ascii=False)[1:]}")
        elif self.count and not isinstance(error, BrokenPipeError):
            message, hint = explain_error(error)
            print(f"\n], {json.dumps({'error': message, 'hint': hint}, ensure_ascii=False)[1:]}")
            sys.stdout.flush()
            error.add_note(ON_STDOUT)


def explain_error(error: BaseException) -> tuple[str, str]:
    """Say in words what ended a command.

    Args:
        error: whatever was raised.

    Returns:
        Message and hint.
    """
    if isinstance(error, VitrailError):
        return error.message, error.hint
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", ""
    return f"internal error: {error!r}", "this is a bug of vitrail: please report it with the lines above"


def is_on_stdout(error: BaseException) -> bool:
    """Say whether an object that was begun on stdout has told of an error.

    Args:
        error: whatever was raised.

    Returns:
        True if nothing more may be printed there.
    """
    return ON_STDOUT in getattr(error, "__notes__", ())
