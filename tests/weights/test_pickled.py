"""Pickled weights are read without executing anything, and without believing what they claim."""

from __future__ import annotations

import os
import pickle
import zipfile
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vitrail.core.errors import WeightsError
from vitrail.weights.arrays import read_arrays
from vitrail.weights.content import read_content
from vitrail.weights.load import load_weights
from vitrail.weights.pickled import read_pickle


class Payload:
    """Touch a file when unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("zipped", [True, False], ids=["today's", "of before 2020"])
def test_both_forms_are_read(zipped: bool, tmp_path: Path) -> None:
    state = {"a": torch.randn(3, 4), "b": torch.arange(5), "c": torch.randn(2).half()}
    path = tmp_path / "weights.pth"
    torch.save({"model": state, "epoch": 3}, path, _use_new_zipfile_serialization=zipped)
    content = read_content(path)
    assert content.container == "pickle"
    assert content.wrapper == ("model",)
    assert all(torch.equal(content.tensors[name], value) for name, value in state.items())


@pytest.mark.parametrize("zipped", [True, False], ids=["today's", "of before 2020"])
def test_pickled_code_is_not_executed(zipped: bool, tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    torch.save({"a": torch.ones(2), "b": Payload(trace)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="not readable as tensors alone") as caught:
        load_weights(path)
    assert "executes no pickled code" in caught.value.hint
    assert not trace.exists()
    path.write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(WeightsError):
        load_weights(path)
    assert not trace.exists()


def test_the_arguments_of_a_script_may_lie_beside_the_weights(tmp_path: Path) -> None:
    trace, path = tmp_path / "trace", tmp_path / "weights.pth"
    args = Namespace(lr=1e-3, sizes=[1, 2])
    torch.save({"model": {"a": torch.ones(2)}, "args": args}, path)
    assert read_content(path).tensors.keys() == {"a"}
    assert read_pickle(path)["args"] == args
    torch.save({"model": {"a": torch.ones(2)}, "args": Namespace(lr=Payload(trace))}, path)
    with pytest.raises(WeightsError, match="not readable as tensors alone"):
        read_content(path)
    assert not trace.exists()
    assert Namespace not in torch.serialization.get_safe_globals(), "other readers of torch allow what they did"


def test_a_small_file_that_claims_terabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"patch_embed.proj.weight": torch.ones(1).expand(1_000_000, 1_000_000)}, path)
    assert path.stat().st_size < 4096
    with pytest.raises(WeightsError, match="claims 1000000 × 1000000 numbers"):
        read_pickle(path)


def test_an_old_file_that_claims_more_than_it_has_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.zeros(1000)}, path, _use_new_zipfile_serialization=False)
    claimed = path.read_bytes().replace(b"M\xe8\x03", b"J\x00\x00\x00\x7f")
    path.write_bytes(claimed)
    with pytest.raises(WeightsError, match="claim a tensor of 2,130,706,432 numbers"):
        read_pickle(path)


def test_a_header_may_be_as_long_as_a_pickle_begins(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for length in range(64):
        save_file({"a": torch.ones(2)}, path, metadata={"note": "x" * length})
        if path.read_bytes()[0] == 0x80:
            break
    assert path.read_bytes()[0] == 0x80
    assert read_content(path).container == "safetensors"


def test_compressed_records_are_refused(tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.pth", tmp_path / "packed.pth"
    torch.save({"a": torch.zeros(100_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for record in source.infolist():
            target.writestr(record.filename, source.read(record))
    with pytest.raises(WeightsError, match="claim to hold"):
        read_pickle(packed)


def test_an_array_that_claims_more_than_its_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"
        archive.writestr("a.npy", header.ljust(127) + b"\n" + bytes(32))
    with pytest.raises(WeightsError, match=r"a\.npy claims 4,398,046,511,104 bytes and has 32"):
        read_arrays(path)


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, a=np.array([Payload(tmp_path / "trace")], dtype=object))
    with pytest.raises(WeightsError, match="pickled objects"):
        read_arrays(path)
    assert not (tmp_path / "trace").exists()


def test_bfloat16_without_a_type_is_read(tmp_path: Path) -> None:
    path, value = tmp_path / "weights.npz", torch.randn(3, 4).bfloat16()
    np.savez(path, a=value.view(torch.int16).numpy().view("V2"))
    assert torch.equal(read_arrays(path)["a"], value.float())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git-lfs pointer"),
        (b"<!DOCTYPE html><html></html>", "HTML page"),
        (b"\n <html>", "HTML page"),
        (b"PK\x03\x04nonsense", "not a readable archive"),
        (b"\x80\x02nonsense", "not a readable"),
        (b"hello", "not a weight file"),
        (b"", "not a weight file"),
    ],
)
def test_what_is_no_weight_file_is_named(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=words) as caught:
        load_weights(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False], ids=["today's", "of before 2020"])
def test_truncated_files_are_refused(zipped: bool, share: float, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"a": torch.randn(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError):
        load_weights(path)
