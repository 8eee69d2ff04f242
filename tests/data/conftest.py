"""Small trees of images for the tests of data sources; one thread for all tests of data."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image


@pytest.fixture(scope="session")
def written() -> ModuleType:
    """Give the functions that write image files byte by byte."""
    found = importlib.util.spec_from_file_location("written", Path(__file__).with_name("written.py"))
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def png() -> bytes:
    """Give a PNG file's content: 4 × 3 pixels of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (4, 3), (10, 20, 30)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def tree(tmp_path: Path, png: bytes) -> Callable[[Mapping[str, int]], Path]:
    """Give a function that writes `count` PNG files into each named folder below a new folder `flowers`."""

    def write(folders: Mapping[str, int]) -> Path:
        root = tmp_path / f"tree {len(list(tmp_path.iterdir()))}" / "flowers"
        for name, count in folders.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                (root / name / f"{index}.png").write_bytes(png)
        return root

    return write
