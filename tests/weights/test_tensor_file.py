"""A file of tensors is read without a copy where it can be, gives the same bits, and every reader opens it."""

import subprocess
import sys

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vitrail.models import VisionTransformer, ViTConfig
from vitrail.models.blank import blank_model
from vitrail.weights.tensor_file import ALIGNMENT, read_metadata, read_tensors, tensor_file

TINY = {"img_size": 8, "patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2, "num_classes": 3}


def tensors():
    generator = torch.Generator().manual_seed(0)
    shapes = {"b": (3,), "a": (16, 4), "d": (), "e": (0, 4), "c": (5, 16)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()} | {
        "whole": torch.arange(7),
        "half": torch.ones(3, 5, dtype=torch.bfloat16),
    }


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_what_is_written_is_read_by_every_reader(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(tensor_file(tensors(), {"note": "größer"}))
    assert same(load_file(path), tensors())
    assert same(read_tensors(path), tensors())
    assert read_metadata(path) == {"note": "größer"}


def test_every_tensor_is_aligned_and_those_of_full_lines_are_not_copied(tmp_path):
    path, other = tmp_path / "model.safetensors", tmp_path / "other.safetensors"
    path.write_bytes(tensor_file(tensors(), {}))
    save_file({"odd": torch.ones(1), **tensors()}, other, metadata={"a": "b"})
    for file in (path, other):
        found = read_tensors(file)
        assert all(value.data_ptr() % ALIGNMENT == 0 for value in found.values() if value.numel())
    found = read_tensors(path)
    assert found["a"].untyped_storage().data_ptr() % ALIGNMENT == 0
    mapped = {name for name, value in found.items() if value.untyped_storage().nbytes() != value.nbytes or name in "ac"}
    assert {"a", "c"} <= mapped


def test_changes_stay_in_memory(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(tensor_file(tensors(), {}))
    before = path.read_bytes()
    for value in read_tensors(path).values():
        value.add_(1)
    assert path.read_bytes() == before
    assert same(read_tensors(path), tensors())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9])
def test_a_truncated_file_is_refused(share, tmp_path):
    path = tmp_path / "model.safetensors"
    content = tensor_file(tensors(), {})
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SafetensorError):
        read_tensors(path)


@pytest.mark.parametrize("position", ["learned_1d", "sincos_2d", "relative_bias", "rope_2d", "learned_2d", "relative"])
def test_a_blank_model_holds_nothing_until_it_is_given_numbers(position):
    config = ViTConfig.of(**TINY, position=position)
    model, blank = VisionTransformer(config).eval(), blank_model(config)
    assert {value.device.type for value in blank.state_dict().values()} == {"meta"}
    blank.load_state_dict(model.state_dict(), assign=True)
    assert not [name for name, value in [*blank.named_parameters(), *blank.named_buffers()] if value.is_meta]
    assert all(value.requires_grad for value in blank.parameters())
    images = torch.randn(2, 3, 8, 8)
    assert torch.equal(blank(images), model(images))


def test_making_a_blank_model_draws_nothing_and_loads_no_compiler():
    code = (
        "import sys, torch\n"
        "from vitrail.models import ViTConfig\n"
        "from vitrail.models.blank import blank_model\n"
        "state = torch.get_rng_state()\n"
        "before = set(sys.modules)\n"
        "blank_model(ViTConfig())\n"
        "assert torch.equal(torch.get_rng_state(), state)\n"
        "assert 'torch._refs' not in set(sys.modules) - before, 'seconds would go by'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
