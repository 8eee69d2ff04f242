"""The ViT, DeiT and MAE of transformers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor

from vitrail.models.config import ViTConfig
from vitrail.weights.formats.families.base import BLOCK, Family
from vitrail.weights.key_map import KeyMap, Row, joined, named, pair

OLD, NEW = "encoder.layer.{i}", "layers.{i}"


def attention_rows(body: str, new: str) -> tuple[Row, ...]:
    """Make the rows of attention: names of transformers 4, then those of 5.

    Args:
        body: name of a block in transformers 4.
        new: and in 5.

    Returns:
        A row for each tensor.
    """
    old_parts = (f"{body}.attention.attention.{part}" for part in ("query", "key", "value"))
    return (
        *joined(f"{BLOCK}.attn.qkv", *old_parts),
        *joined(f"{BLOCK}.attn.qkv", *(f"{new}.attention.{part}_proj" for part in "qkv")),
        *pair(f"{BLOCK}.attn.proj", f"{body}.attention.output.dense"),
        *pair(f"{BLOCK}.attn.proj", f"{new}.attention.o_proj"),
    )


BODY = (
    *pair("patch_embed.proj", "embeddings.patch_embeddings.projection"),
    named("cls_token", "embeddings.cls_token"),
    named("pos_embed", "embeddings.position_embeddings"),
    *attention_rows(OLD, NEW),
    *(row for at in (OLD, NEW) for row in pair(f"{BLOCK}.norm1", f"{at}.layernorm_before")),
    *(row for at in (OLD, NEW) for row in pair(f"{BLOCK}.norm2", f"{at}.layernorm_after")),
    *pair(f"{BLOCK}.mlp.fc1", f"{OLD}.intermediate.dense"),
    *pair(f"{BLOCK}.mlp.fc1", f"{NEW}.mlp.fc1"),
    *pair(f"{BLOCK}.mlp.fc2", f"{OLD}.output.dense"),
    *pair(f"{BLOCK}.mlp.fc2", f"{NEW}.mlp.fc2"),
    *pair("norm", "layernorm"),
)
POOLER, HEAD = pair("pre_logits.fc", "pooler.dense"), pair("head", "classifier")
VIT_KEYS = KeyMap([*BODY, *POOLER, *HEAD])
DEIT_KEYS = KeyMap(
    [
        *BODY,
        named("dist_token", "embeddings.distillation_token"),
        *pair("head", "cls_classifier"),
        *pair("head_dist", "distillation_classifier"),
    ]
)
DEIT_ONE_HEAD_KEYS = KeyMap([*BODY, named("reg_token", "embeddings.distillation_token"), *HEAD])


class Vit(Family):
    """Hold ViTModel and ViTForImageClassification; the pooler is our representation layer."""

    kinds: ClassVar[tuple[str, ...]] = ("vit",)
    prefix: ClassVar[str] = "vit."
    defaults: ClassVar[dict[str, Any]] = {
        "image_size": 224, "num_attention_heads": 12, "layer_norm_eps": 1e-12, "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    left: ClassVar[dict[str, str]] = {
        r"decoder\..*": "the decoder, which only pre-training needs",
        r"(.*\.)?mask_token": "stands for hidden patches in pre-training",
    }
    body: ClassVar[str] = "ViTModel"
    optional: ClassVar[str] = rf"{Family.optional}|pre_logits\..*"
    pooled: ClassVar[bool] = True
    classifier: ClassVar[str] = "ViTForImageClassification"

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return VIT_KEYS

    def prepare(self, tensors: dict[str, Tensor], config: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Leave a pooler that the classifier does not pass through."""
        pooled = self.pooled and "classifier.weight" not in tensors
        why = "the classifier does not pass through the pooler"
        left = {} if pooled else {name: why for name in tensors if name.startswith("pooler.")}
        return {name: value for name, value in tensors.items() if name not in left}, left

    def fields(self, config: dict[str, Any]) -> dict[str, Any]:
        """Read dropout too."""
        return {
            **super().fields(config),
            "drop_rate": float(config["hidden_dropout_prob"]),
            "attn_drop_rate": float(config["attention_probs_dropout_prob"]),
        }

    def finish(self, tensors: dict[str, Tensor], config: ViTConfig) -> tuple[dict[str, Tensor], list[str]]:
        """Put heads beside the body, and the body under its name where there is one."""
        body = self.prefix if config.num_classes else ""
        heads = ("classifier.", "cls_classifier.", "distillation_classifier.")
        return {name if name.startswith(heads) else body + name: value for name, value in tensors.items()}, []

    def architecture(self, config: ViTConfig) -> str:
        """Name the class."""
        return self.classifier if config.num_classes else self.body

    def config(self, config: ViTConfig) -> dict[str, Any]:
        """Add what only these have."""
        written = {
            **super().config(config),
            "hidden_dropout_prob": config.drop.drop_rate,
            "attention_probs_dropout_prob": config.drop.attn_drop_rate,
            "qkv_bias": config.block.qkv_bias,
        }
        return written | ({"pooler_output_size": config.representation_size} if config.representation_size else {})


class Deit(Vit):
    """Hold DeiTModel and DeiTForImageClassificationWithTeacher."""

    kinds: ClassVar[tuple[str, ...]] = ("deit",)
    prefix: ClassVar[str] = "deit."
    processor: ClassVar[str] = "deit"
    placed: ClassVar[int] = 2
    optional: ClassVar[str] = rf"{Family.optional}|head_dist\..*"
    body: ClassVar[str] = "DeiTModel"
    pooled: ClassVar[bool] = False
    classifier: ClassVar[str] = "DeiTForImageClassificationWithTeacher"

    def claims(self, config: dict[str, Any], names: Iterable[str]) -> bool:
        """Look for two heads or none."""
        return super().claims(config, names) and "classifier.weight" not in names

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return DEIT_KEYS


class DeitOneHead(Vit):
    """Hold DeiTForImageClassification: no head reads its distillation token, which is therefore a register."""

    kinds: ClassVar[tuple[str, ...]] = ("deit",)
    prefix: ClassVar[str] = "deit."
    processor: ClassVar[str] = "deit"
    placed: ClassVar[int] = 2
    pooled: ClassVar[bool] = False
    classifier: ClassVar[str] = "DeiTForImageClassification"

    def claims(self, config: dict[str, Any], names: Iterable[str]) -> bool:
        """Look for the one head."""
        return super().claims(config, names) and "classifier.weight" in names

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return DEIT_ONE_HEAD_KEYS


class VitMae(Vit):
    """Hold the encoder of ViTMAEModel and ViTMAEForPreTraining."""

    kinds: ClassVar[tuple[str, ...]] = ("vit_mae",)
    body: ClassVar[str] = "ViTMAEModel"
    processor: ClassVar[str] = "mae"

    def keys(self, config: dict[str, Any]) -> KeyMap:
        """Give the names."""
        return KeyMap(BODY)
