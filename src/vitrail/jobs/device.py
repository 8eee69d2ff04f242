"""Where to compute, and with how many threads."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vitrail.core.errors import ConfigError
from vitrail.models.config import ViTConfig

ONE_THREAD_MACS = 5e8
"""Steps of fewer multiply-accumulates run in one thread: a second one gains little (0.7 of the time on an idle machine)
and costs much where another program wants the core (20 times the time), since threads meet after every operation."""

CPU_BYTES, GPU_BYTES = 8 * 2**20, 512 * 2**20
"""Hidden values of the MLP for a batch while predicting: on a CPU more than this no longer fits its caches."""

MOST_WORKERS = 8
"""Batches side by side: each has its own memory, and beyond some the interpreter's lock is in the way."""


def choose_device(name: str | None) -> torch.device:
    """Turn what the user gave into a device.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps"; None or "auto" for the fastest there is.

    Returns:
        The device.

    Raises:
        ConfigError: if it is unknown or not there.
    """
    if name in (None, "auto"):
        return torch.device(
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(str(name))
    except RuntimeError:
        raise ConfigError(f"unknown device {name!r}", hint="allowed: auto, cpu, cuda, cuda:N, mps") from None
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not there.get(device.type, False) or (device.index or 0) >= count:
        raise ConfigError(f"device {name!r} is not available here", hint="give --device cpu, or leave it out")
    return device


def describe_device(device: torch.device) -> str:
    """Name a device for a person.

    Args:
        device: one that is there.

    Returns:
        Such as "cpu, 1 thread", or a GPU's name.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{device.type}, {threads} thread{'s' if threads > 1 else ''}"


def choose_batch_size(config: ViTConfig, device: torch.device) -> int:
    """Choose how many images to run at once where only speed matters.

    Args:
        config: the model.
        device: where it runs.

    Returns:
        A power of two, 8 … 64 on a CPU, 8 … 512 elsewhere.
    """
    room, most = (CPU_BYTES, 64) if device.type == "cpu" else (GPU_BYTES, 512)
    image = 4 * config.num_tokens * config.embed_dim * config.block.mlp_ratio
    return int(min(most, max(8, 2 ** int(math.log2(max(1, room / image))))))


def choose_workers(device: torch.device) -> int:
    """Choose how many batches to compute side by side where only speed matters.

    Args:
        device: where the model runs.

    Returns:
        One for each of PyTorch's threads on a CPU, at most 8; 0 elsewhere: a GPU takes one batch after another.
    """
    return min(MOST_WORKERS, torch.get_num_threads()) if device.type == "cpu" else 0


@contextmanager
def thread_limit(
    config: ViTConfig, batch_size: int, device: torch.device, threads: int | None = None
) -> Iterator[None]:
    """Use one thread for models so small that more only hinder.

    Args:
        config: the model.
        batch_size: images a step.
        device: where it runs; anything but a CPU is left alone.
        threads: how many to use for a larger model; None for as many as now.

    Yields:
        Nothing; the number of threads is what it was afterwards.
    """
    per_token = config.embed_dim**2 * (4 + 2 * config.block.mlp_ratio)
    # A stem without blocks, such as a plain ResNet, costs about as much as one block of its width.
    macs = batch_size * config.num_tokens * max(1, config.depth) * per_token
    before = torch.get_num_threads()
    if device.type == "cpu":
        torch.set_num_threads(1 if macs < ONE_THREAD_MACS else threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
