"""Image files written byte by byte, with nothing of Pillow: what tests compare decoding with."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    rows: Array, color: int, bits: int, extra: Sequence[tuple[bytes, bytes]] = (), size: tuple[int, int] | None = None
) -> bytes:
    """Write a PNG: `rows` are big-endian samples (height, values a row); 1-bit rows are packed; `size` may lie."""
    packed = np.packbits(rows.astype(bool), axis=1) if bits == 1 else rows.astype(f">u{bits // 8}")
    lines = b"".join(b"\0" + row.tobytes() for row in packed)
    values = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    width, height = size or (rows.shape[1] // values, rows.shape[0])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    body = b"".join(chunk(kind, content) for kind, content in extra)
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


TYPES = {"H": 3, "I": 4, "B": 1, "s": 7}


def tiff(
    data: bytes,
    size: tuple[int, int],
    bits: Sequence[int],
    photometric: int,
    tags: Mapping[int, tuple[str, Sequence[int] | bytes]] | None = None,
    order: str = "<",
) -> bytes:
    """Write a TIFF of one strip: `size` is (width, height); `tags` are number → (struct letter, values)."""
    entries: dict[int, tuple[str, Sequence[int] | bytes]] = {
        256: ("I", [size[0]]), 257: ("I", [size[1]]), 258: ("H", bits), 259: ("H", [1]), 262: ("H", [photometric]),
        273: ("I", [0]), 277: ("H", [len(bits)]), 278: ("I", [size[1]]), 279: ("I", [len(data)]),
        **(tags or {}),
    }  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    outside, lines = b"", b""
    packed = {}
    for number, (letter, values) in sorted(entries.items()):
        content = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{letter}", *values)
        packed[number] = (letter, len(content) if letter == "s" else len(values), content)
    at_end = start + sum(len(content) + len(content) % 2 for _, _, content in packed.values() if len(content) > 4)
    for number, (letter, count, content) in packed.items():
        if number == 273:
            content = struct.pack(order + "I", at_end)
        place = content.ljust(4, b"\0")
        if len(content) > 4:
            place = struct.pack(order + "I", start + len(outside))
            outside += content + b"\0" * (len(content) % 2)
        lines += struct.pack(order + "HHI", number, TYPES[letter], count) + place
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + lines + struct.pack(order + "I", 0) + outside + data


def _fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def profile(space: bytes, tags: Mapping[bytes, bytes], version: int = 0x02400000) -> bytes:
    """Write an ICC profile for monitors: a header of 128 bytes, a table, the tags."""
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content + b"\0" * (-len(content) % 4)
    total = start + len(body)
    head = struct.pack(">I4sI", total, b"none", version) + b"mntr" + space + b"XYZ " + b"\0" * 12 + b"acsp"
    head += b"\0" * 28 + _fixed(0.9642, 1.0, 0.8249)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def curve(gamma: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + b"\0\0"


def xyz(*values: float) -> bytes:
    return b"XYZ " + b"\0" * 4 + _fixed(*values)


WHITE = xyz(0.9642, 1.0, 0.8249)
