"""Weights that torch has pickled (`.pth`, `.pt`, `.bin`), read by its reader for tensors alone, which executes nothing.

Sizes are checked first: the tensors of a file of 1.4 KB can claim terabytes, by strides of 0 or records that expand.
"""

from __future__ import annotations

import pickletools
import zipfile
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitrail.core.errors import WeightsError

DAMAGED = "it is truncated or damaged: copy it again from where it came"
INERT: list[Any] = [Namespace]
"""Classes that may lie beside the tensors: scripts save their arguments in one, and making one does nothing."""
TENSORS_ONLY = "vitrail executes no pickled code: save the state_dict of the model alone"


def read_pickle(path: Path) -> Any:
    """Read what torch pickled, tensors and plain data only.

    Args:
        path: written by `torch.save`, in today's form or that of before 2020.

    Returns:
        What was saved; every tensor is dense and no larger than its bytes in the file.

    Raises:
        WeightsError: if the file holds anything else, is damaged, or claims more than it holds.
    """
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        held = _check_records(path, size)
        _check_tensors(path, _load(path, "meta"), held)
    else:
        _check_claims(path, size)
    loaded = _load(path, "cpu")
    _check_tensors(path, loaded, size)
    return loaded


def _load(path: Path, place: str) -> Any:
    try:
        with torch.serialization.safe_globals(INERT):
            return torch.load(path, map_location=place, weights_only=True)
    except Exception as error:  # torch raises many kinds, and pickle's own
        reason = str(error).strip().split("\n")
        words = next((line.strip() for line in reason if "Unsupported" in line), reason[0])
        raise WeightsError(f"{path}: not readable as tensors alone ({words[:200]})", hint=TENSORS_ONLY) from None


def _check_records(path: Path, size: int) -> int:
    """Refuse an archive whose records are compressed or overlap, and give how many bytes they hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise WeightsError(f"{path}: not a readable archive ({error})", hint=DAMAGED) from error
    held = sum(record.file_size for record in records)
    if held > size or any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise WeightsError(f"{path}: {size:,} bytes claim to hold {held:,}", hint="torch never writes such a file")
    return held


def _check_claims(path: Path, size: int) -> None:
    """Refuse a file of the old form, four pickles and then bytes, with a storage larger than the file."""
    try:
        with path.open("rb") as file:
            for _ in range(4):
                number = 0
                for opcode, argument, _ in pickletools.genops(file):
                    if isinstance(argument, int) and not opcode.name.endswith(("GET", "PUT")):
                        number = argument
                    if opcode.name == "BINPERSID" and number > size:
                        claim = f"{size:,} bytes claim a tensor of {number:,} numbers"
                        raise WeightsError(f"{path}: {claim}", hint="torch never writes such a file")
    except (ValueError, OverflowError, MemoryError, EOFError) as error:
        raise WeightsError(f"{path}: not a readable pickle ({error})", hint=DAMAGED) from error


def _check_tensors(path: Path, loaded: object, held: int) -> None:
    """Refuse tensors that are not dense, or whose numbers are more than the bytes behind them."""
    storages: dict[int, int] = {}
    for name, tensor in _tensors(loaded):
        if tensor.layout is not torch.strided or tensor.is_quantized:
            raise WeightsError(f"{path}: {name} is not a dense tensor", hint="only dense weights are read")
        storage = tensor.untyped_storage()
        needed = tensor.numel() * tensor.element_size()
        storages[storage._cdata] = storage.nbytes()
        if needed > storage.nbytes():
            shape = " × ".join(map(str, tensor.shape))
            claim = f"{name} claims {shape} numbers, {needed:,} bytes, and has {storage.nbytes():,}"
            raise WeightsError(f"{path}: {claim}", hint="save the tensor itself, not an expanded view of it")
    claimed = sum(storages.values())
    if claimed > held:
        raise WeightsError(f"{path}: tensors claim {claimed:,} bytes of {held:,}", hint=DAMAGED)


def _tensors(loaded: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Walk through nested dictionaries and lists."""
    if isinstance(loaded, Tensor):
        yield name, loaded
    elif depth < 16 and isinstance(loaded, dict | list | tuple):
        items = loaded.items() if isinstance(loaded, dict) else enumerate(loaded)
        for key, value in items:
            yield from _tensors(value, f"{name}.{key}".lstrip("."), depth + 1)
