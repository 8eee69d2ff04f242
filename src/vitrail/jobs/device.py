"""Where to compute."""

from __future__ import annotations

import torch

from vitrail.core.errors import ConfigError


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
