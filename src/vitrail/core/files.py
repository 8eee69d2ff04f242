"""Files that are either the old or the new, never half of one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from vitrail.core.errors import StorageError


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn what the operating system says about writing `path` into a StorageError.

    Args:
        path: the file or folder being written, named in the message.

    Raises:
        StorageError: for any OSError raised inside, saying what to do about it.
    """
    try:
        yield
    except OSError as error:
        hints = {
            errno.ENOSPC: "free some space or choose another folder with --out",
            errno.EDQUOT: "the quota is used up: free some space or choose another folder with --out",
            errno.EROFS: "the disk is read-only: choose another folder with --out",
            errno.EACCES: "no permission: choose another folder with --out",
            errno.ENOTDIR: "part of the path is a file: choose another folder with --out",
        }
        hint = hints.get(error.errno or 0, "check the path and the disk, or choose another folder with --out")
        raise StorageError(f"cannot write {path}: {error.strerror or error}", hint=hint) from error


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a whole file under a temporary name, flush it to the disk, then rename it.

    Args:
        path: final name; its folder is made if need be.
        content: the whole content; text is written as UTF-8, file names that are not text with backslashes.

    Raises:
        StorageError: if the disk refuses; the old file, if any, is then unharmed.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    with storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
            os.chmod(name, mode)
            os.replace(name, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        _flush_folder(path.parent)


def as_text(name: str) -> str:
    """Make a file name fit for a text file.

    Args:
        name: a name as the operating system gives it, which need not be text.

    Returns:
        The name, bytes that are no text written with backslashes.
    """
    return name.encode(errors="backslashreplace").decode()


def cache_folder() -> Path:
    """Say where vitrail keeps what can be made again.

    Returns:
        $VITRAIL_CACHE, else `vitrail` in $XDG_CACHE_HOME, else in `~/.cache`; it need not exist.
    """
    given = os.environ.get("VITRAIL_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vitrail"


def append_line(path: Path, record: object) -> None:
    """Add one JSON object as a line to a file.

    Args:
        path: a `.jsonl` file, made if need be.
        record: anything `json.dumps` takes.

    Raises:
        StorageError: if the disk refuses.
    """
    with storage(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def sha256(*parts: bytes) -> str:
    """Hash byte strings one after another.

    Args:
        parts: what to hash, in order.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_folder(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
