"""What keeps the Hub from giving something, in vitrail's words."""

from __future__ import annotations

import errno
from types import ModuleType
from typing import TYPE_CHECKING

from vitrail.core.errors import StorageError, VitrailError, WeightsError

if TYPE_CHECKING:
    from vitrail.weights.hub import HubReference

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""What writing to a file that is open fails with; other errors of files name the file."""


def explained(reference: HubReference, hub: ModuleType, error: Exception) -> VitrailError:
    """Say in vitrail's words what huggingface_hub, the network and the disk raise.

    Args:
        reference: what was asked for, which the message begins with.
        hub: the module huggingface_hub.
        error: what was raised.

    Returns:
        The error, to be raised.
    """
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
            "run it once with a network, without --offline or HF_HUB_OFFLINE: what is fetched then stays in the cache",
        ),
        (Exception, f"the download broke off: {why}", "run it again: what is whole is kept"),
    )
    words, hint = next((words, hint) for kind, words, hint in kinds if isinstance(error, kind))
    return WeightsError(f"{reference}: {words}", hint=hint)
