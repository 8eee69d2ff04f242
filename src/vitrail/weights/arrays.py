"""NumPy archives (`.npz`), read array by array after a look at their headers; nothing pickled is read."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vitrail.core.errors import WeightsError

MOST_EXPANSION = 100
"""Times that arrays may be larger than a compressed archive; weights hardly shrink, but zeros do."""


def read_arrays(path: Path) -> dict[str, Tensor]:
    """Read every array.

    Args:
        path: a `.npz`.

    Returns:
        name → tensor. Two-byte entries without a type, as JAX writes bfloat16, become float32.

    Raises:
        WeightsError: if an array is pickled, of no number type, or larger than its bytes; or the archive is damaged.
    """
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            claimed = sum(record.file_size for record in records)
            if claimed > MOST_EXPANSION * size:
                raise WeightsError(f"{path}: {size:,} bytes claim to hold {claimed:,}", hint="weights hardly shrink")
            for record in records:
                _check_header(path, archive, record)
        with np.load(path, allow_pickle=False) as arrays:
            return {name: _tensor(path, name, arrays[name]) for name in arrays.files}
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, MemoryError) as error:
        hint = "it is truncated or damaged, or holds pickled objects, which are not read"
        raise WeightsError(f"{path}: not a readable .npz ({error})", hint=hint) from error


def _check_header(path: Path, archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    """Refuse an array that claims another size than its record has, before it is allocated."""
    with archive.open(record) as file:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"{record.filename} is of version {version}")
        if dtype.hasobject:
            raise ValueError(f"{record.filename} holds pickled objects")
        needed, there = math.prod(shape) * dtype.itemsize, record.file_size - file.tell()
    if needed != there:
        claim = f"{record.filename} claims {needed:,} bytes and has {there:,}"
        raise WeightsError(f"{path}: {claim}", hint="it is damaged: copy it again from where it came")


def _tensor(path: Path, name: str, array: npt.NDArray[np.generic]) -> Tensor:
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return torch.from_numpy(np.asarray(array, order="C").view(np.int16)).view(torch.bfloat16).float()
    if array.dtype.kind not in "fiub":
        hint = "weights are numbers"
        raise WeightsError(f"{path}: {name} is of type {array.dtype}", hint=hint)
    return torch.from_numpy(np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C"))
