"""Devices and threads."""

from __future__ import annotations

import pytest
import torch

from vitrail.core.errors import ConfigError
from vitrail.jobs.device import choose_batch_size, choose_device, thread_limit
from vitrail.models.config import ViTConfig
from vitrail.models.variants import variant_fields


@pytest.mark.parametrize("name", ["abacus", "cpu:x", "cuda:99", "meta"])
def test_devices_that_are_not_there_are_refused(name):
    with pytest.raises(ConfigError, match="device"):
        choose_device(name)


def test_the_default_device_exists():
    assert choose_device(None) == choose_device("auto")
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("variant", "limited"), [("vit_nano_conv_patch2_8", True), ("vit_small_patch16_224", False)])
def test_only_tiny_models_are_kept_to_one_thread(variant, limited):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with thread_limit(ViTConfig.of(**variant_fields(variant)), 64, torch.device("cpu")):
        assert torch.get_num_threads() == (1 if limited else 2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "size", "cpu", "gpu"),
    [("vit_nano_conv_patch2_8", 8, 64, 512), ("Ti/16", 96, 64, 512), ("S/16", 224, 8, 256), ("H/14", 224, 8, 64)],
)
def test_the_batch_suits_model_and_device(name, size, cpu, gpu):
    config = ViTConfig.of(**variant_fields(name) | {"img_size": size})
    assert choose_batch_size(config, torch.device("cpu")) == cpu
    assert choose_batch_size(config, torch.device("cuda")) == gpu
