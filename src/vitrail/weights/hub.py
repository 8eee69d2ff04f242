"""References of the Hub, `hf:owner/name[@revision]`: from a name to files on this machine.

huggingface_hub does the work. Its cache, token, endpoint and offline mode are the user's own, set as for any other
program that uses it: HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Any

from vitrail import __version__
from vitrail.core.errors import VitrailError, WeightsError
from vitrail.core.network import network_allowed
from vitrail.weights.hub_errors import explained
from vitrail.weights.reference import HUB_PREFIX, WEIGHT_NAMES, is_weight_folder

TEXTS = ("config.json", "preprocessor_config.json", "README.md")
"""Files beside the weights that are fetched where a repository has them."""

OTHER_WEIGHTS = ("*.safetensors", "*.npz", "*.bin", "*.pth")
"""What is taken where no file has a name of `WEIGHT_NAMES`, and one of a kind is alone."""

_REFERENCE = re.compile(r"hf:(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>\S+))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
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

    With the Hub out of reach, the network not allowed, or HF_HUB_OFFLINE=1, it is the snapshot that the cache knows for
    the revision. A commit that is whole in the cache is not asked for.

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
    found = cached(reference) if _COMMIT.fullmatch(reference.revision or "") else None
    if found is not None:
        return found
    try:
        return _collect(hub, reference, local=not network_allowed())
    except VitrailError:
        raise
    except Exception as error:  # the HTTP client, its sockets and the disk each raise their own
        raise explained(reference, hub, error) from error


def cached(reference: HubReference) -> Path | None:
    """Find the weights of a repository in the cache, and ask nobody.

    Args:
        reference: which one.

    Returns:
        What `fetch` returns; None if the cache does not have it, or in parts of which only the Hub knows how many.
    """
    try:
        found = _collect(_library(), reference, local=True)
    except Exception:  # as for `fetch`, which says what it is
        return None
    return None if found.is_dir() and any(found.glob("*.index.json")) else found


def reach(reference: HubReference, seconds: float) -> None:
    """Ask the Hub for a repository, and give up soon.

    Args:
        reference: which one.
        seconds: to wait at most, the look-up of the Hub's name included.

    Raises:
        WeightsError: if the Hub cannot be reached, or does not give it.
    """
    hub = _library()
    said: list[BaseException | None] = []

    def ask() -> None:
        try:
            hub.HfApi(library_name="vitrail", library_version=__version__).model_info(
                reference.repo, revision=reference.revision, timeout=seconds
            )
            said.append(None)
        except BaseException as error:
            said.append(error)

    # nothing bounds the look-up of a name but not to wait for it
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(seconds)
    error = said[0] if said else TimeoutError(f"no answer within {seconds:g} seconds")
    if isinstance(error, Exception):
        absent = hub.errors.LocalEntryNotFoundError(str(error))
        absent.__cause__ = error
        raise explained(reference, hub, absent) from error
    if error is not None:
        raise error


def _collect(hub: ModuleType, reference: HubReference, local: bool) -> Path:
    folder = _snapshot(hub, reference.repo, reference.revision, TEXTS, local)
    names = _names(hub, reference.repo, folder)
    chosen = choose_weights(names)
    if not chosen:
        raise _no_choice(reference, names)
    new = not all((folder / name).is_file() for name in chosen)
    shown = new and sys.stderr.isatty()
    folder = _snapshot(hub, reference.repo, folder.name, (*TEXTS, *chosen), local, shown)
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


def _snapshot(
    hub: ModuleType, repo: str, revision: str | None, patterns: Sequence[str], local: bool, shown: bool = False
) -> Path:
    class Bar(hub.utils.tqdm):  # type: ignore[misc, name-defined]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": not shown})

    folder: str = hub.snapshot_download(
        repo,
        revision=revision,
        allow_patterns=list(patterns),
        library_name="vitrail",
        library_version=__version__,
        local_files_only=local,
        tqdm_class=Bar,
    )
    return Path(folder)


def _names(hub: ModuleType, repo: str, folder: Path) -> list[str]:
    """List the files of a snapshot: all that the repository has, or those in the cache if the list is not there."""
    try:
        return [file.path for file in hub.get_cached_repo_tree(repo, revision=folder.name)]
    except hub.errors.CachedRepoTreeNotFoundError:
        return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


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
