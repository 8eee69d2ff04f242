"""References of the Hub, `hf:owner/name[@revision]`: from a name to files on this machine.

huggingface_hub does the work. Its cache, token, endpoint and offline mode are the user's own, set as for any other
program that uses it: HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from vitrail import __version__
from vitrail.core.errors import StorageError, VitrailError, WeightsError
from vitrail.weights.reference import HUB_PREFIX, WEIGHT_NAMES, is_weight_folder

TEXTS = ("config.json", "preprocessor_config.json", "README.md")
"""Files beside the weights that are fetched where a repository has them."""

OTHER_WEIGHTS = ("*.safetensors", "*.npz", "*.bin", "*.pth")
"""What is taken where no file has a name of `WEIGHT_NAMES`, and one of a kind is alone."""

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing to a file that is open fails with; other errors of files name the file."""

_REFERENCE = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>\S+))?", re.ASCII)
_CACHED = re.compile(r"(?:.*/)?models--(?P<owner>[^/]+?)--(?P<name>[^/]+)/snapshots/(?P<commit>[0-9a-f]{40})(?:/.*)?")


@dataclass(frozen=True)
class HubReference:
    """Name a repository of the Hub.

    Args:
        repo: "owner/name".
        revision: branch, tag or whole commit; None for the main branch.
    """

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{HUB_PREFIX}{self.repo}{'' if self.revision is None else f'@{self.revision}'}"

    @classmethod
    def parse(cls, text: str) -> HubReference:
        """Read a reference.

        Args:
            text: "hf:owner/name", "hf:owner/name@revision".

        Raises:
            WeightsError: if it has another form.
        """
        match = _REFERENCE.fullmatch(text)
        if match is None:
            hint = "write hf:owner/name, or hf:owner/name@revision with a branch, a tag or a commit"
            raise WeightsError(f"{text!r} names no repository of the Hub", hint=hint)
        return cls(match["repo"], match["revision"])

    @classmethod
    def of(cls, path: Path) -> HubReference | None:
        """Find out where a file of the cache came from.

        Args:
            path: of a snapshot, or in it.

        Returns:
            The repository, its revision the commit; None if the path is not one of the cache.
        """
        match = _CACHED.fullmatch(path.absolute().as_posix())
        return None if match is None else cls(f"{match['owner']}/{match['name']}", match["commit"])


def fetch(reference: HubReference) -> Path:
    """Bring the weights of a repository, and the texts that say what they are, into the cache.

    With the Hub out of reach, or HF_HUB_OFFLINE=1, it is the snapshot that the cache knows for the revision.

    Args:
        reference: which one; a branch or tag is resolved to its commit, which is the name of the snapshot's folder.

    Returns:
        The snapshot's folder if it has a config.json, else the weight file in it. Nothing in it was executed.

    Raises:
        WeightsError: if there is no such repository or revision, it may not be seen, the Hub cannot be reached and the
            cache has not all of it, the download breaks off, or there are no weights in it.
        StorageError: if the cache cannot be written.
    """
    hub = _library()
    try:
        folder = _snapshot(hub, reference.repo, reference.revision, TEXTS)
        names = _names(hub, reference.repo, folder)
        chosen = choose_weights(names)
        if not chosen:
            raise _no_choice(reference, names)
        new = not all((folder / name).is_file() for name in chosen)
        folder = _snapshot(hub, reference.repo, folder.name, (*TEXTS, *chosen), shown=new and sys.stderr.isatty())
    except VitrailError:
        raise
    except Exception as error:  # the HTTP client, its sockets and the disk each raise their own
        raise _explained(reference, hub, error) from error
    return folder if is_weight_folder(folder) else folder / chosen[0]


def choose_weights(names: Sequence[str]) -> list[str]:
    """Choose the files of one model among those of a repository.

    Args:
        names: of all files, folders in them by "/".

    Returns:
        One file; or the list of parts and the parts; nothing if there are none, or several and no way to choose.
    """
    for name in WEIGHT_NAMES:
        index = f"{name}.index.json"
        if index in names:
            stem, suffix = os.path.splitext(name)
            return [index, *(part for part in names if fnmatch(part, f"{stem}-*{suffix}"))]
        if name in names:
            return [name]
    for pattern in OTHER_WEIGHTS:
        found = [name for name in names if PurePosixPath(name).match(pattern)]
        if found:
            return found if len(found) == 1 else []
    return []


def provenance(path: Path) -> dict[str, str]:
    """Say where weights came from, for the record of what is made of them.

    Args:
        path: of weights; in the cache, or anywhere else.

    Returns:
        "source": the repository and its commit, or the name of the file; "licence": what the repository's card states,
        if it states one.
    """
    reference = HubReference.of(path)
    if reference is None:
        return {"source": path.name}
    stated = _licence((path if path.is_dir() else path.parent) / "README.md")
    return {"source": str(reference)} | ({"licence": stated} if stated else {})


def pinned(reference: str, path: Path) -> str:
    """Write a reference such that it stands for these weights tomorrow too.

    Args:
        reference: what was given.
        path: what it stood for.

    Returns:
        The repository with its commit; a path of the user's as it is.
    """
    found = None if Path(reference).exists() else HubReference.of(path)
    return reference if found is None else str(found)


def _licence(card: Path) -> str | None:
    try:
        said = _library().metadata_load(card) if card.is_file() else None
    except Exception:  # the YAML of a stranger, which decides nothing
        return None
    said = said if isinstance(said, dict) else {}
    name = said.get("license_name") if said.get("license") == "other" else said.get("license")
    return name if isinstance(name, str) else None


def _library() -> ModuleType:
    """Import huggingface_hub, which reads its settings when it is imported."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub.constants
    import huggingface_hub.errors
    import huggingface_hub.utils

    return huggingface_hub


def _snapshot(hub: ModuleType, repo: str, revision: str | None, patterns: Sequence[str], shown: bool = False) -> Path:
    class Bar(hub.utils.tqdm):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": not shown})

    folder: str = hub.snapshot_download(
        repo,
        revision=revision,
        allow_patterns=list(patterns),
        library_name="vitrail",
        library_version=__version__,
        tqdm_class=Bar,
    )
    return Path(folder)


def _names(hub: ModuleType, repo: str, folder: Path) -> list[str]:
    """List the files of a snapshot: all that the repository has, or those in the cache if the list is not there."""
    try:
        return [file.path for file in hub.get_cached_repo_tree(repo, revision=folder.name)]
    except hub.errors.CachedRepoTreeNotFoundError:
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _explained(reference: HubReference, hub: ModuleType, error: Exception) -> VitrailError:
    """Say in vitrail's words what huggingface_hub, the network and the disk raise."""
    errors, cause = hub.errors, error.__cause__
    if isinstance(cause, errors.HfHubHTTPError) and cause.response.status_code < 500:
        error = cause  # the Hub answered, and huggingface_hub looked into the cache in vain
    elif isinstance(error, OSError) and (error.filename or error.errno in FULL):
        return StorageError(
            f"{reference}: cannot write {error.filename or hub.constants.HF_HUB_CACHE}: {error.strerror}",
            hint="free some space, or name another folder for the cache in the environment variable HF_HOME",
        )
    why = " ".join(str(cause or error).split()) or type(error).__name__
    sign_in = "set HF_TOKEN, or run `hf auth login`"
    kinds = (
        (errors.HFValidationError, f"no name of a repository: {why}", "write hf:owner/name"),
        (
            errors.GatedRepoError,
            "its owner gives it only to those who accepted its terms",
            f"accept them on its page, then {sign_in}",
        ),
        (
            errors.RevisionNotFoundError,
            f"no such revision of {reference.repo}",
            "give a branch, a tag, or all 40 digits of a commit",
        ),
        (
            errors.RepositoryNotFoundError,
            "no such repository on the Hub, or not for you",
            f"check the name; if it is private, {sign_in}",
        ),
        (errors.HfHubHTTPError, f"the Hub refuses: {why}", f"if it is for some only, {sign_in}; else try again later"),
        (
            errors.LocalEntryNotFoundError,
            f"not whole in the cache, and the Hub is out of reach: {why}",
            "run it once with a network and without HF_HUB_OFFLINE: what is fetched then stays in the cache",
        ),
        (Exception, f"the download broke off: {why}", "run it again: what is whole is kept"),
    )
    words, hint = next((words, hint) for kind, words, hint in kinds if isinstance(error, kind))
    return WeightsError(f"{reference}: {words}", hint=hint)


def _no_choice(reference: HubReference, names: Sequence[str]) -> WeightsError:
    found = [name for name in names if any(PurePosixPath(name).match(pattern) for pattern in OTHER_WEIGHTS)]
    if found:
        shown = ", ".join(found[:6]) + (f" and {len(found) - 6} more" if len(found) > 6 else "")
        hint = "download the one you want, and give its path"
        return WeightsError(
            f"{reference}: holds several weight files, and none is {WEIGHT_NAMES[0]}: {shown}", hint=hint
        )
    shown = ", ".join(sorted(names)[:6]) or "nothing"
    hint = f"weights are {', '.join(WEIGHT_NAMES)}, or one file {', '.join(OTHER_WEIGHTS)}"
    return WeightsError(f"{reference}: holds no weights that vitrail reads, but {shown}", hint=hint)
