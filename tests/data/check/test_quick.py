"""Equal files are found by reading as little as can be."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vitrail.data.check import quick
from vitrail.data.check.quick import content_keys


@given(
    st.lists(st.sampled_from([b"", b"a", b"b", b"a" * 9000, b"a" * 4500 + b"b" + b"a" * 4499, b"b" * 9000]), max_size=9)
)
def test_keys_are_equal_for_equal_files_and_only_for_these(contents):
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / str(number)) for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            Path(path).write_bytes(content)
        keys = content_keys([*paths, str(Path(folder) / "gone")])
    assert keys.pop() is None
    for one, key in zip(contents, keys, strict=True):
        assert (key is None) == (not one or contents.count(one) == 1)
        assert [other == key for other in keys if key] == [content == one for content in contents if key]


def test_files_of_their_own_size_are_not_opened(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(quick, "_ends", lambda path: opened.append(path) or (1, b""))
    monkeypatch.setattr(quick, "_whole", lambda path: b"x")
    for size in (3, 4, 5, 5):
        (tmp_path / f"{size} {len(list(tmp_path.iterdir()))}").write_bytes(b"x" * size)
    keys = content_keys(sorted(map(str, tmp_path.iterdir())))
    assert [Path(path).name[0] for path in opened] == ["5", "5"]
    assert [key is None for key in keys] == [True, True, False, False]


def test_arrays_are_compared_by_their_pixels():
    images = np.zeros((3, 2, 2, 1), dtype=np.uint8)
    images[1, 0, 0, 0] = 1
    first, second, third = content_keys(images)
    assert first == third != second
