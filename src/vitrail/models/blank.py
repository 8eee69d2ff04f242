"""A model without numbers, into which weights are put."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from vitrail.models.config import ViTConfig
from vitrail.models.vision_transformer import VisionTransformer


class _Uninitialised(TorchFunctionMode):
    """Leave tensors as they are where `torch.nn.init` would draw numbers, which takes seconds even without memory."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        if getattr(func, "__module__", "") == "torch.nn.init":
            return given["tensor"] if "tensor" in given else args[0]
        return func(*args, **given)


def blank_model(config: ViTConfig) -> VisionTransformer:
    """Build a model whose tensors have shapes and no memory; nothing is drawn.

    Args:
        config: the architecture.

    Returns:
        The model in evaluation mode, on the device "meta": `load_state_dict(state, assign=True)` gives it numbers.

    Raises:
        ConfigError: if the config's parts do not go together.
    """
    with torch.device("meta"), _Uninitialised():
        return VisionTransformer(config).eval()
