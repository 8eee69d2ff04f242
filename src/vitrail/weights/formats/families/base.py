"""What a family of models in transformers must say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from torch import Tensor

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.models.config import ViTConfig
from vitrail.nn.norm import LayerNormConfig
from vitrail.weights.key_map import KeyMap

BLOCK = "blocks.{i}"
ACTIVATIONS: Table[str] = Table(
    "activation of transformers",
    {
        "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "quick_gelu": "quick_gelu",
        "relu": "relu", "silu": "silu", "swish": "silu",
    },
    error=WeightsError,
)  # fmt: skip
WRITTEN = {
    "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "quick_gelu": "quick_gelu", "relu": "relu", "silu": "silu",
}  # fmt: skip


def depth(config: Mapping[str, Any]) -> int:
    """Read the number of blocks.

    Args:
        config: of transformers.

    Returns:
        12 if it does not say, as in every family here.
    """
    return int(config.get("num_hidden_layers", 12))


class Family:
    """Say how a family's names, config and processor correspond to vitrail's.

    `kinds` are its values of `model_type`, the first is written; `prefix` stands before the names of the body;
    `defaults` is what transformers takes for an entry that config.json lacks; `processor` a row of `DEFAULTS`; `left`
    says of which tensors no model of ours has need, by pattern, and why; `resize` is the row of `RULES`; `optional` are
    patterns of our names that a model may lack; `placed` is how many tokens before the patches have a position.
    """

    kinds: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str] = ""
    defaults: ClassVar[dict[str, Any]] = {}
    processor: ClassVar[str] = "vit"
    left: ClassVar[dict[str, str]] = {}
    resize: ClassVar[str] = "transformers"
    optional: ClassVar[str] = r"head\..*|blocks\.\d+\.attn\.qkv\.bias"
    placed: ClassVar[int] = 1

    def claims(self, config: dict[str, Any], names: Iterable[str]) -> bool:
        """Say whether a folder is of this family.

        Args:
            config: `config.json`.
            names: of its tensors.
        """
        return config.get("model_type") in self.kinds

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names, without `prefix`.

        Args:
            config: with `defaults`.
        """
        raise NotImplementedError

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Do what no key map can say, before it.

        Args:
            tensors: by transformers' names, without `prefix`.
            config: with `defaults`.

        Returns:
            The tensors, and name → why for those that are left.
        """
        return tensors, {}

    def fields(self, config: dict[str, Any]) -> dict[str, Any]:
        """Read what shapes do not show.

        Args:
            config: with `defaults`.

        Returns:
            Flat fields of the config.
        """
        size = config["image_size"]
        return {
            "num_heads": int(config["num_attention_heads"]),
            "norm": {"kind": "layer_norm", "eps": float(config["layer_norm_eps"])},
            "act": ACTIVATIONS[str(config["hidden_act"])],
            "img_size": (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1])),
        }

    def may_lack(self, config: dict[str, Any], state: Mapping[str, Tensor]) -> str:
        """Give the pattern of our names that a model of this family may lack: `optional`, unless the config says more.

        Args:
            config: with `defaults`.
            state: vitrail's.
        """
        return self.optional

    def absent(self, state: Mapping[str, Tensor], config: dict[str, Any]) -> dict[str, str]:
        """Name what models of this family have and a state dict has not.

        Args:
            state: vitrail's.
            config: with `defaults`.

        Returns:
            Our name → transformers'.
        """
        optional = self.may_lack(config, state)
        found: dict[str, str] = {}
        for row in self.keys(config).rows:
            for ours, theirs in row.parts():
                for index in range(depth(config) if "{i}" in ours else 1):
                    name = ours.replace("{i}", str(index))
                    if name not in state and not re.fullmatch(optional, name):
                        found.setdefault(name, theirs.replace("{i}", str(index)))
        return found

    def lacking(self, state: dict[str, Tensor], config: ViTConfig) -> list[str]:
        """Name what transformers' models of this family have and a model has not.

        Args:
            state: vitrail's.
            config: of the model.
        """
        absent = self.absent(state, {**self.defaults, **self.config(config)})
        table = state.get("pos_embed")
        places = self.placed + config.grid[0] * config.grid[1]
        wrong = table is not None and table.shape[1] != places
        return [f"no {name}" for name in absent] + (["positions of other tokens"] if wrong else [])

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Do what no key map can say, after it, and put names where transformers has them.

        Args:
            tensors: by transformers' names, without `prefix`.
            config: of the model.

        Returns:
            The tensors to write, and the names of those that there is no place for.
        """
        return {self.prefix + name: value for name, value in tensors.items()}, []

    def architecture(self, config: ViTConfig) -> str:
        """Name the class of transformers that holds a model.

        Args:
            config: of the model.
        """
        raise NotImplementedError

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Say an architecture in transformers' words.

        Args:
            config: of the model.

        Returns:
            `config.json`, but for the labels.
        """
        block, norm = config.block, config.block.norm
        height, width = config.image_size
        return {
            "architectures": [self.architecture(config)],
            "model_type": self.kinds[0],
            "hidden_size": config.embed_dim,
            "num_hidden_layers": config.depth,
            "num_attention_heads": block.num_heads,
            "intermediate_size": int(config.embed_dim * block.mlp_ratio),
            "hidden_act": WRITTEN.get(str(block.act), "gelu"),
            "layer_norm_eps": norm.eps if isinstance(norm, LayerNormConfig) else 1e-12,
            "image_size": height if height == width else [height, width],
            "patch_size": config.patch_size,
            "num_channels": config.in_chans,
            "initializer_range": 0.02,
        }
