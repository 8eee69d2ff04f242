"""Files are either the old or the new, and a disk that refuses is a StorageError."""

import errno
import hashlib
import json
import os

import pytest

from vitrail.core import files
from vitrail.core.errors import StorageError
from vitrail.core.files import append_line, sha256, storage, write_atomically


def test_text_and_bytes_are_written_and_folders_made(tmp_path):
    path = tmp_path / "a" / "b" / "file.txt"
    write_atomically(path, "grün\n")
    assert path.read_bytes() == "grün\n".encode()
    write_atomically(path, b"\x00\xff")
    assert path.read_bytes() == b"\x00\xff"
    assert os.listdir(path.parent) == ["file.txt"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
def test_the_old_file_survives_a_failure_at_any_step(tmp_path, monkeypatch, step):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, step, fail)
    with pytest.raises(StorageError) as caught:
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"], "no temporary file may stay behind"
    assert str(path) in caught.value.message
    assert "No space left on device" in caught.value.message
    assert "free some space" in caught.value.hint


def test_the_old_file_survives_an_interruption(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(files.os, "fsync", lambda descriptor: (done.append("fsync"), fsync(descriptor)))
    monkeypatch.setattr(files.os, "replace", lambda old, new: (done.append("replace"), replace(old, new)))
    write_atomically(tmp_path / "file", "new")
    assert done == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_the_mode_of_the_old_file_is_kept(tmp_path, mode):
    path = tmp_path / "file"
    path.write_text("old")
    path.chmod(mode)
    write_atomically(path, "new")
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_obeys_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", "new")
        assert (tmp_path / "file").stat().st_mode & 0o777 == mode
        assert os.umask(umask) == umask, "the umask must be left as it was"
    finally:
        os.umask(before)


def test_a_path_through_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / "file" / "deeper" / "x", "new")
    assert caught.value.exit_code == 74
    assert "part of the path is a file" in caught.value.hint
    with pytest.raises(StorageError, match="cannot write"):
        append_line(tmp_path / "file" / "x.jsonl", {})
    with pytest.raises(StorageError, match="cannot write"):
        append_line(tmp_path / "no folder" / "x.jsonl", {})


def test_a_folder_in_the_place_of_the_file_is_a_storage_error(tmp_path):
    (tmp_path / "name").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        write_atomically(tmp_path / "name", "new")
    assert os.listdir(tmp_path) == ["name"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_a_storage_error(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="Permission denied"):
            write_atomically(tmp_path / "file", "new")
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "no permission"),
        (errno.ENOTDIR, "is a file"),
        (errno.EIO, "check the path and the disk"),
    ],
    ids=errno.errorcode.get,
)
def test_every_refusal_has_a_hint(tmp_path, number, word):
    with pytest.raises(StorageError) as caught, storage(tmp_path / "x"):
        raise OSError(number, os.strerror(number))
    assert word in caught.value.hint
    assert isinstance(caught.value.__cause__, OSError)


def test_other_errors_pass_unchanged(tmp_path):
    with pytest.raises(ValueError, match="mine"), storage(tmp_path):
        raise ValueError("mine")


def test_lines_are_added_one_by_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_line(path, {"step": 1, "loss": 0.1})
    append_line(path, {"step": 2, "text": "grün\nzwei"})
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"step": 1, "loss": 0.1}, {"step": 2, "text": "grün\nzwei"}]


def test_hash_of_parts_is_the_hash_of_their_sequence():
    assert sha256(b"ab", b"c") == hashlib.sha256(b"abc").hexdigest()
    assert sha256() == hashlib.sha256(b"").hexdigest()
    assert sha256(b"a", b"bc") != sha256(b"ac", b"b")
