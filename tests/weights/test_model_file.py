"""The model file: what goes in comes out, safetensors alone can read it, and no damage goes unseen."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from vitrail import __version__
from vitrail.core.config import to_dict
from vitrail.core.errors import ConfigError, StorageError, VitrailError, WeightsError
from vitrail.models import VisionTransformer
from vitrail.weights import model_file
from vitrail.weights.model_file import FORMAT, ModelRecord, load_model, save_model, tensors_sha256

Made = tuple[VisionTransformer, ModelRecord]


def identical(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return list(ours) == list(theirs) and all(
        torch.equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in ours
    )


def metadata(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="numpy") as file:
        record: dict[str, Any] = json.loads(file.metadata()["vitrail"])
    return record


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Edit the record as someone with a text editor would: the sums are not made anew."""
    content = metadata(path)
    change(content)
    save_file(load_file(path), path, metadata={"vitrail": json.dumps(content)})


def test_what_is_saved_comes_back(variant: Made, tmp_path: Path) -> None:
    model, record = variant
    path = tmp_path / "folder" / "model.safetensors"
    save_model(path, model, record)
    loaded, read = load_model(path)

    assert read == record and loaded.config == record.config
    assert identical(loaded.state_dict(), model.state_dict())
    assert not loaded.training
    images = torch.randn(3, record.config.in_chans, *record.config.image_size)
    assert torch.equal(loaded(images), model(images))
    assert [entry.name for entry in path.parent.iterdir()] == ["model.safetensors"]


def test_loading_leaves_random_numbers_alone(saved: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(saved)
    assert torch.equal(torch.rand(3), expected)


def test_safetensors_alone_can_read_it(variant: Made, tmp_path: Path) -> None:
    model, record = variant
    path = tmp_path / "model.safetensors"
    save_model(path, model, record)
    content = metadata(path)

    assert identical(dict(sorted(load_file(path).items())), dict(sorted(model.state_dict().items())))
    assert (content["format"], content["vitrail"]) == (FORMAT, __version__)
    assert content["classes"] == ["a cat", "größer", "犬"]
    assert content["calibration"] == {"temperature": 1.25, "exponent": 1.5, "risk": [[0.9, 3, 0], [0.4, 10, 2]]}
    assert content["spec"]["size"] == list(record.config.image_size) and content["spec"]["mean"][0] == 0.1
    assert content["architecture"]["block"]["num_heads"] == 2
    assert content["architecture"]["stem"]["kind"] == record.config.stem.kind
    assert content["training"] == record.training and content["data"] == record.data


def test_the_sum_of_the_tensors_can_be_made_by_anyone(saved: Path) -> None:
    """For each name in sorted order: name|type|shape|, then the bytes."""
    digest = hashlib.sha256()
    with safe_open(saved, framework="numpy") as file:
        for name in sorted(file.keys()):
            array = file.get_tensor(name)
            digest.update(f"{name}|torch.{array.dtype}|{list(array.shape)}|".encode() + array.tobytes())
    assert metadata(saved)["sha256"] == digest.hexdigest() == tensors_sha256(load_file(saved))


def test_the_sum_sees_name_type_shape_and_bytes() -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3), "b": torch.zeros((), dtype=torch.int64)}
    others: list[dict[str, Tensor]] = [
        {**tensors, "a": tensors["a"].view(3, 2)},
        {**tensors, "a": -tensors["a"]},
        {**tensors, "a": tensors["a"].view(torch.int32)},
        {**tensors, "b": torch.ones((), dtype=torch.int64)},
        {"c": tensors["a"], "b": tensors["b"]},
        {"a": tensors["a"]},
    ]
    sums = [tensors_sha256(one) for one in (tensors, *others)]
    assert len(set(sums)) == 7
    assert tensors_sha256(dict(reversed(tensors.items()))) == sums[0]
    turned = {**tensors, "a": tensors["a"].T.contiguous().T}
    assert tensors_sha256(turned) == sums[0], "not how it lies in memory"
    for dtype in (torch.bfloat16, torch.bool, torch.float16):
        assert len(tensors_sha256({"a": torch.ones(3).to(dtype), "none": torch.empty(0, dtype=dtype)})) == 64


@pytest.mark.parametrize(
    "training",
    [
        {"figures": {1: 0.5, 10: 0.7, 2: 0.9}}, {"b": (1, 2), "a": [None, True, 1e-7, -0.0, 1e300]}, {"none": {}},
        {"path": "caf\udce9"}, {"inf": float("inf")},
    ],
    ids=["numbers as keys", "tuples and floats", "empty", "a name that is no UTF-8", "infinity"],
)  # fmt: skip
def test_whatever_json_takes_can_be_recorded(
    make_model: Callable[..., Made], tmp_path: Path, training: dict[str, Any]
) -> None:
    model, record = make_model()
    save_model(tmp_path / "m", model, replace(record, training=training, classes=("a", "caf\udce9", "c")))
    _, read = load_model(tmp_path / "m")
    assert read.training == json.loads(json.dumps(training)) and read.classes[1] == "caf\udce9"


def check_damage(path: Path, content: bytes, original: Made) -> None:
    """Write damaged content: it must be refused as such, or say exactly what the original said."""
    path.write_bytes(content)
    with contextlib.suppress(WeightsError):
        model, record = load_model(path)
        assert record == original[1] and identical(model.state_dict(), original[0].state_dict()), "damage went unseen"


def test_any_damaged_byte_is_seen(saved: Path) -> None:
    """50 places in the header, the record in it and the tensors."""
    content = saved.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    generator = np.random.default_rng(0)
    places = [*range(9), header - 1, header, len(content) - 1]
    places += generator.integers(8, header, 25).tolist() + generator.integers(header, len(content), 13).tolist()
    for place in places:
        saved.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with pytest.raises(WeightsError) as caught:
            load_model(saved)
        assert str(saved) in caught.value.message and caught.value.hint


def test_any_flipped_bit_is_seen_or_says_the_same(saved: Path) -> None:
    content = saved.read_bytes()
    original = load_model(saved)
    generator = np.random.default_rng(1)
    for place in generator.integers(0, len(content), 60).tolist():
        bit = 1 << int(generator.integers(8))
        check_damage(saved, content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :], original)


@pytest.mark.slow
def test_every_damaged_byte_of_the_header(saved: Path) -> None:
    content = saved.read_bytes()
    original = load_model(saved)
    for place in range(8 + int.from_bytes(content[:8], "little")):
        for other in {content[place] ^ 0x01, content[place] ^ 0x20, ord('"')} - {content[place]}:
            check_damage(saved, content[:place] + bytes([other]) + content[place + 1 :], original)


def test_a_truncated_file(saved: Path) -> None:
    content = saved.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    lengths = {0, 1, 7, 8, 9, header // 2, header - 1, header, header + 1, len(content) - 1}
    for length in sorted(lengths | set(range(10, len(content), len(content) // 40))):
        saved.write_bytes(content[:length])
        with pytest.raises(WeightsError, match="not a readable model file") as caught:
            load_model(saved)
        assert "truncated" in caught.value.hint
    saved.write_bytes(content + b"\0")
    with pytest.raises(WeightsError):
        load_model(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["classes"].reverse(),
        lambda content: content["classes"].append("x"),
        lambda content: content["calibration"].update(temperature=2.0),
        lambda content: content["spec"].update(crop_fraction=0.5),
        lambda content: content["architecture"]["block"].update(qk_scale=1.0),
        lambda content: content["training"].update(seed=4),
        lambda content: content["data"].update(reference="elsewhere"),
        lambda content: content.update(vitrail="0.0.1"),
        lambda content: content.update(note="hello"),
        lambda content: content.update(sha256="0" * 64),
    ],
)
def test_an_edited_record_is_seen(saved: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(saved, change)
    with pytest.raises(WeightsError, match="does not match the sha256") as caught:
        load_model(saved)
    assert "damaged or altered" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("sha256"),
        lambda content: content.pop("record_sha256"),
        lambda content: content.pop("format"),
        lambda content: content.update(format="one"),
        lambda content: content.update(format=None),
    ],
)
def test_a_record_that_lacks_something(saved: Path, change: Callable[[dict[str, Any]], object]) -> None:
    rewrite(saved, change)
    with pytest.raises(WeightsError, match="its record cannot be read"):
        load_model(saved)


def test_swapped_tensors_are_seen(saved: Path) -> None:
    tensors, content = load_file(saved), metadata(saved)
    first, second = "blocks.0.norm1.weight", "blocks.0.norm1.bias"
    tensors[first], tensors[second] = tensors[second], tensors[first]
    save_file(tensors, saved, metadata={"vitrail": json.dumps(content)})
    with pytest.raises(WeightsError, match="does not match the sha256"):
        load_model(saved)


def test_a_newer_format(saved: Path) -> None:
    rewrite(saved, lambda content: content.update(format=FORMAT + 1, vitrail="9.9"))
    with pytest.raises(WeightsError, match=r"written by vitrail 9.9, format 2; this one reads 1") as caught:
        load_model(saved)
    assert caught.value.hint == "upgrade vitrail"


@pytest.mark.parametrize("fields", [{"depth": 3}, {"embed_dim": 32}, {"stem": "conv"}, {"distilled": True}])
def test_a_record_that_does_not_fit_its_tensors(
    make_model: Callable[..., Made], tmp_path: Path, fields: dict[str, Any]
) -> None:
    save_model(tmp_path / "m", make_model()[0], make_model(**fields)[1])
    with pytest.raises(WeightsError, match="its record and its tensors do not fit together"):
        load_model(tmp_path / "m")


def test_an_architecture_that_this_vitrail_does_not_know(
    make_model: Callable[..., Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, record = make_model()
    with monkeypatch.context() as patch:
        patch.setattr(model_file, "to_dict", lambda config: {**to_dict(config), "future": 1})
        save_model(tmp_path / "m", model, record)
    with pytest.raises(WeightsError, match="unknown key 'future'"):
        load_model(tmp_path / "m")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"", "not a readable model file"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 500, "not a readable model file"),
        (b"PK\x03\x04" + b"\0" * 500, "not a readable model file"),
        (b"\xff" * 500, "not a readable model file"),
        (b"hello", "not a readable model file"),
    ],
    ids=["missing", "empty", "PNG", "zip", "ones", "text"],
)
def test_files_of_another_kind(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as caught:
        load_model(path)
    assert str(path) in caught.value.message


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="not a readable model file"):
        load_model(tmp_path)


@pytest.mark.parametrize("header", [None, {"format": "pt"}, {"vitrail_checkpoint": "{}"}])
def test_a_safetensors_file_of_somebody_else(tmp_path: Path, header: dict[str, str] | None) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "m", metadata=header)
    with pytest.raises(WeightsError, match="not one of vitrail's") as caught:
        load_model(tmp_path / "m")
    assert "vitrail fit" in caught.value.hint


@pytest.mark.parametrize(
    "text", ["", "no json", "[]", "null", "3", '"text"', "{", "{}", '{"format": 1}', "[" * 100_000]
)
def test_a_record_that_is_none(tmp_path: Path, text: str) -> None:
    save_file({"a": torch.zeros(3)}, tmp_path / "m", metadata={"vitrail": text})
    with pytest.raises(WeightsError, match="its record cannot be read"):
        load_model(tmp_path / "m")


def test_custom_parts_are_refused_before_anything_is_written(make_model: Callable[..., Made], tmp_path: Path) -> None:
    path = tmp_path / "new" / "model.safetensors"
    for fields in ({"norm": nn.LayerNorm}, {"act": nn.SELU}, {"pool": nn.Identity}):
        model, record = make_model(**fields)
        with pytest.raises(ConfigError, match="cannot be written to a file"):
            save_model(path, model, record)
    assert list(tmp_path.iterdir()) == []


def test_the_old_file_survives_a_failing_write(
    saved: Path, make_model: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    old = saved.read_bytes()

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError):
        save_model(saved, *make_model())
    assert saved.read_bytes() == old and [entry.name for entry in saved.parent.iterdir()] == [saved.name]


def test_every_error_is_one_of_ours() -> None:
    assert issubclass(WeightsError, VitrailError) and WeightsError("x").exit_code == 2
