"""`.safetensors`, mapped into memory where its numbers lie as torch's own would, so that nothing need be copied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

ALIGNMENT = 64
"""Bytes; torch begins every tensor at a multiple. How numbers lie decides which kernels run, and so their last bits."""

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip


def as_bytes(tensor: Tensor) -> memoryview:
    """Show the memory of a tensor.

    Args:
        tensor: contiguous, on the CPU.

    Returns:
        Its bytes, not copied.
    """
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy().data)


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts in a file's header.

    Args:
        path: a `.safetensors`.

    Returns:
        key → text.

    Raises:
        SafetensorError: if the header is damaged, or its tensors do not fill the file exactly.
        OSError: if it cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read every tensor.

    Args:
        path: a `.safetensors`.

    Returns:
        name → tensor on the CPU: a view of the file, of which changes are kept to memory, or a copy where the file's
        numbers are not aligned.

    Raises:
        SafetensorError: if the header is damaged, or its tensors do not fill the file exactly.
        OSError: if it cannot be read.
    """
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return {name: value.clone() if value.data_ptr() % ALIGNMENT else value for name, value in tensors.items()}


def tensor_file(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Lay out a `.safetensors` in which as many tensors as can be are aligned: those of other sizes come last.

    Args:
        tensors: contiguous, on the CPU.
        metadata: key → text.

    Returns:
        The file; any reader opens it.
    """
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    order = sorted(tensors, key=lambda name: (tensors[name].nbytes % ALIGNMENT != 0, name))
    place = 0
    for name in order:
        value = tensors[name]
        offsets = [place, place + value.nbytes]
        header[name] = {"dtype": DTYPES[value.dtype], "shape": list(value.shape), "data_offsets": offsets}
        place += value.nbytes
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    return b"".join([len(text).to_bytes(8, "little"), text, *(as_bytes(tensors[name]) for name in order)])
