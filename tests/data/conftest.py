"""Small trees of images for the tests of data sources."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image

Tree = Callable[[Mapping[str, int]], Path]


def png_bytes(colour: tuple[int, int, int] = (10, 20, 30), size: tuple[int, int] = (4, 3)) -> bytes:
    """Encode a picture of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Give a function that writes `count` PNG files into each named folder below a new root."""

    def write(folders: Mapping[str, int]) -> Path:
        root = tmp_path / "flowers"
        content = png_bytes()
        for name, count in folders.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                (root / name / f"{index}.png").write_bytes(content)
        return root

    return write
