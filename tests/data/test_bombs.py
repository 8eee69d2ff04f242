"""Small files that claim to be huge: refused from their header; nothing is decoded, and memory does not grow."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image, ImageFile

from vitrail.core.errors import ImageError
from vitrail.data.decode import decode, examine


def saved(fmt: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), (9, 9, 9)).save(buffer, fmt, **options)
    return buffer.getvalue()


def claim(fmt: str, side: int, written: ModuleType) -> bytes:
    """Write a file of a few hundred bytes whose header says `side` × `side` pixels."""
    if fmt == "PNG":
        return written.png(np.zeros((1, 8)), 0, 1, size=(side, side))
    if fmt == "APNG":
        control = struct.pack(">IIIIIHHBB", 0, side, side, 0, 0, 1, 1, 0, 0)
        return written.png(np.zeros((1, 8)), 0, 1, [(b"acTL", b"\0\0\0\2\0\0\0\0"), (b"fcTL", control)], (side, side))
    if fmt == "TIFF":
        return written.tiff(b"\0" * 64, (side, side), [8], 1)
    if fmt == "BMP":
        head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 24, 0, 0, 0, 0, 0, 0)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + head + b"\0" * 64
    if fmt == "PPM":
        return f"P5 {side} {side} 255\n".encode() + b"\0" * 64
    content = bytearray(saved(fmt, **({"lossless": True} if fmt == "WEBP" else {})))
    if fmt == "GIF":
        content[6:10] = struct.pack("<HH", side, side)
        start = content.index(b"\x2c")
        content[start + 5 : start + 9] = struct.pack("<HH", side, side)
    elif fmt == "WEBP":  # 14 bits of width − 1, then 14 of height − 1, after the signature byte of VP8L
        start = content.index(b"VP8L") + 9
        content[start : start + 4] = struct.pack("<I", (side - 1) | (side - 1) << 14 | content[start + 3] >> 4 << 28)
    elif fmt == "JPEG":
        start = content.index(b"\xff\xc0")
        content[start + 5 : start + 9] = struct.pack(">HH", side, side)
    return bytes(content)


def webp_canvas(side: int) -> bytes:
    """Write an animated WebP whose canvas is huge, and whose one frame is small."""
    frame = saved("WEBP", lossless=True)[12:]
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (side - 1).to_bytes(3, "little") * 2
    begin = b"ANIM" + struct.pack("<I", 6) + b"\0" * 6
    body = b"\0" * 6 + (15).to_bytes(3, "little") * 2 + b"\x10\0\0\0" + frame
    content = b"WEBP" + head + begin + b"ANMF" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


FORMATS = ["PNG", "APNG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "JPEG"]


def bombs(written: ModuleType) -> dict[str, bytes]:
    found = {f"{fmt} {side}": claim(fmt, side, written) for fmt in FORMATS for side in (7072, 13_370)}
    found["WEBP canvas 16000"] = webp_canvas(16_000)
    return found


def test_bombs_are_refused_and_decoding_is_never_begun(written: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("decoding was begun")

    contents = bombs(written)
    monkeypatch.setattr(ImageFile.ImageFile, "load", never)
    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", never)
    for name, content in contents.items():
        assert len(content) < 1000, name
        for look in (decode, examine):
            clock = time.perf_counter()
            with pytest.raises(ImageError, match="pixels"):
                look(content)
            assert time.perf_counter() - clock < 0.05, name


def test_the_same_files_decode_when_they_tell_the_truth(written: ModuleType) -> None:
    """So that the bombs are refused for their size, not because they are badly written."""
    for fmt, side in (("GIF", 16), ("WEBP", 16), ("JPEG", 16), ("TIFF", 8), ("PPM", 8), ("BMP", 4)):
        assert decode(claim(fmt, side, written)).size == (side, side)
    assert decode(webp_canvas(16)).size == (16, 16)


def test_memory_does_not_grow(written: ModuleType, tmp_path: Path) -> None:
    """In a process of its own, which says by how many kilobytes its peak has grown."""
    for name, content in bombs(written).items():
        (tmp_path / name).write_bytes(content)
    code = """
import io, resource, sys
from pathlib import Path
from PIL import Image
from vitrail.core.errors import ImageError
from vitrail.data.decode import decode, examine
for fmt in ("PNG", "GIF", "TIFF", "BMP", "PPM", "WEBP", "JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, fmt)
    decode(buffer.getvalue())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
refused = 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    for look in (decode, examine):
        try:
            look(path)
        except ImageError:
            refused += 1
print(refused, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    refused, kilobytes = map(int, done.stdout.split())
    assert refused == 2 * (2 * len(FORMATS) + 1)
    assert kilobytes < 20_000
