"""Hugging Face directories of transformers' ViT and DeiT: config.json, weights, preprocessor_config.json."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.core.table import Table
from vitrail.models.config import ViTConfig
from vitrail.nn.norm import LayerNormConfig
from vitrail.weights.content import PROCESSOR_NAME, Content
from vitrail.weights.formats.base import Format, Reading, refuse, unusual
from vitrail.weights.formats.processor import read_processor, write_processor
from vitrail.weights.key_map import KeyMap, Row, pair
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.reference import CONFIG_NAME, MODEL_NAME

OLD, NEW, BLOCK = "encoder.layer.{i}", "layers.{i}", "blocks.{i}"


def _joined(kind: str) -> tuple[Row, ...]:
    """Make the rows of queries, keys and values: names of transformers 4, then those of 5."""
    old = tuple(f"{OLD}.attention.attention.{part}.{kind}" for part in ("query", "key", "value"))
    new = tuple(f"{NEW}.attention.{part}_proj.{kind}" for part in "qkv")
    return Row(f"{BLOCK}.attn.qkv.{kind}", old), Row(f"{BLOCK}.attn.qkv.{kind}", new)


KEYS = KeyMap(
    [
        *pair("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        Row("cls_token", ("embeddings.cls_token",)),
        Row("dist_token", ("embeddings.distillation_token",)),
        Row("pos_embed", ("embeddings.position_embeddings",)),
        *_joined("weight"),
        *_joined("bias"),
        *(row for at in (OLD, NEW) for row in pair(f"{BLOCK}.norm1", f"{at}.layernorm_before")),
        *(row for at in (OLD, NEW) for row in pair(f"{BLOCK}.norm2", f"{at}.layernorm_after")),
        *pair(f"{BLOCK}.attn.proj", f"{OLD}.attention.output.dense"),
        *pair(f"{BLOCK}.attn.proj", f"{NEW}.attention.o_proj"),
        *pair(f"{BLOCK}.mlp.fc1", f"{OLD}.intermediate.dense"),
        *pair(f"{BLOCK}.mlp.fc1", f"{NEW}.mlp.fc1"),
        *pair(f"{BLOCK}.mlp.fc2", f"{OLD}.output.dense"),
        *pair(f"{BLOCK}.mlp.fc2", f"{NEW}.mlp.fc2"),
        *pair("norm", "layernorm"),
        *pair("pre_logits.fc", "pooler.dense"),
        *pair("head", "classifier"),
        *pair("head", "cls_classifier"),
        *pair("head_dist", "distillation_classifier"),
    ]
)
"""Without the prefix `vit.` or `deit.`. transformers 5 reads the names of 4, so the first of each is written."""

ACTIVATIONS: Table[str] = Table(
    "activation of transformers",
    {
        "gelu": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "relu": "relu", "silu": "silu",
        "swish": "silu",
    },
    error=WeightsError,
)  # fmt: skip
MISSING = {
    "beit": "BEiT's attention (no bias of keys, layer scale)",
    "clip": "the norm before the first block and QuickGELU",
    "clip_vision_model": "the norm before the first block and QuickGELU",
    "dinov2": "layer scale",
    "dinov2_with_registers": "layer scale and register tokens",
    "dinov3_vit": "layer scale and register tokens",
    "siglip": "attention pooling",
    "siglip_vision_model": "attention pooling",
    "vit_hybrid": "the ResNet stem",
    "vit_mae": "the decoder of MAE",
}
"""model_type → the part that vitrail does not have yet."""


class HuggingFace(Format):
    """Read and write directories of transformers' ViT and DeiT."""

    name: ClassVar[str] = "hugging-face"
    what: ClassVar[str] = "a Hugging Face directory of ViT or DeiT"
    resize: ClassVar[str] = "transformers"
    writes: ClassVar[bool] = True
    folder: ClassVar[bool] = True

    def matches(self, content: Content) -> bool:
        """Look for `model_type`, or for transformers' names."""
        named = any(name.endswith("embeddings.patch_embeddings.projection.weight") for name in content.tensors)
        return "model_type" in content.config or (named and not content.config)

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename, join queries, keys and values, and read the architecture, the labels and the processor."""
        config = content.config
        if not config:
            hint = "give the folder that holds config.json, not the file in it"
            raise WeightsError("weights of transformers without config.json, which says heads and eps", hint=hint)
        kind = str(config["model_type"])
        if kind not in ("vit", "deit"):
            lacks = f": vitrail does not have {MISSING[kind]} yet" if kind in MISSING else ""
            raise WeightsError(f"model_type {kind!r} is not read{lacks}", hint="read are vit and deit")
        tensors = {name.removeprefix(f"{kind}."): value for name, value in content.tensors.items()}
        left = {}
        if any("distillation_token" in name for name in tensors) and "classifier.weight" in tensors:
            hint = "DeiTForImageClassificationWithTeacher and DeiTModel are read, and every ViT"
            raise WeightsError("DeiTForImageClassification: a distillation token without a head of its own", hint=hint)
        has_head = "classifier.weight" in tensors or "cls_classifier.weight" in tensors
        for name in [name for name in tensors if name.startswith("pooler.")]:
            if has_head or kind == "deit":
                del tensors[name]
                left[f"{kind}.{name}"] = "the classifier does not pass through the pooler"
        act = str(config.get("pooler_act", "tanh"))
        if act != "tanh" and any(name.startswith("pooler.") for name in tensors):
            raise WeightsError(f"config.json: pooler_act {act!r} is not known", hint="a representation layer has tanh")
        state, unknown = KEYS.to_ours(tensors)
        preprocessing, size, notes = read_processor(content.processor, kind)
        return Reading(
            state, _fields(config), preprocessing, size, _classes(config, state), left, tuple(unknown), notes
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a directory that `AutoModelForImageClassification` and `AutoImageProcessor` load."""
        config = record.config
        reasons = {
            **unusual(config),
            "the mean of patches": config.pool.kind != "class_token",
            "a representation layer before a head": bool(config.representation_size and config.num_classes),
            f"{config.in_chans} channels": config.in_chans != 3,
        }
        refuse(self.name, reasons)
        kind = "deit" if config.tokens.distilled else "vit"
        tensors, unknown = KEYS.to_theirs(model.state_dict(), config.block.num_heads)
        refuse(self.name, dict.fromkeys(unknown, True))
        named = {_written_name(name, kind, bool(config.num_classes)): value for name, value in tensors.items()}
        processor = write_processor(record.spec)
        write_atomically(out / CONFIG_NAME, json.dumps(_config(config, record.classes, kind), indent=2) + "\n")
        write_atomically(out / PROCESSOR_NAME, json.dumps(processor, indent=2) + "\n")
        write_atomically(out / MODEL_NAME, save(named, metadata={"format": "pt"}))


def _written_name(name: str, kind: str, has_head: bool) -> str:
    """Put a name where transformers has it: heads beside the body, the body under its kind."""
    if not has_head or name.startswith("distillation_classifier."):
        return name
    if name.startswith("classifier."):
        return f"cls_{name}" if kind == "deit" else name
    return f"{kind}.{name}"


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """Read what shapes do not show."""
    try:
        size = config.get("image_size", 224)
        eps = float(config.get("layer_norm_eps", 1e-12))
        return {
            "num_heads": int(config.get("num_attention_heads", 12)),
            "norm": {"kind": "layer_norm", "eps": eps},
            "act": ACTIVATIONS[str(config.get("hidden_act", "gelu"))],
            "img_size": (int(size), int(size)) if isinstance(size, int) else (int(size[0]), int(size[1])),
            "drop_rate": float(config.get("hidden_dropout_prob", 0.0)),
            "attn_drop_rate": float(config.get("attention_probs_dropout_prob", 0.0)),
        }
    except (TypeError, ValueError, IndexError, KeyError) as error:
        hint = "it is damaged: copy it again"
        raise WeightsError(f"config.json cannot be understood ({error})", hint=hint) from error


def _classes(config: dict[str, Any], state: dict[str, Any]) -> tuple[str, ...] | None:
    """Read the labels, if they are as many as the head has outputs."""
    labels = config.get("id2label")
    if not isinstance(labels, dict) or "head.weight" not in state:
        return None
    count = len(state["head.weight"])
    names = [labels.get(str(index)) for index in range(count)]
    if len(labels) != count or None in names:
        raise WeightsError(f"config.json has {len(labels)} labels for {count} classes", hint="it is of other weights")
    return tuple(map(str, names))


def _config(config: ViTConfig, classes: tuple[str, ...], kind: str) -> dict[str, Any]:
    """Say the architecture in transformers' words."""
    block, norm = config.block, config.block.norm
    heads = {"vit": "ViTForImageClassification", "deit": "DeiTForImageClassificationWithTeacher"}
    bodies = {"vit": "ViTModel", "deit": "DeiTModel"}
    height, width = config.image_size
    written: dict[str, Any] = {
        "architectures": [(heads if config.num_classes else bodies)[kind]],
        "model_type": kind,
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.depth,
        "num_attention_heads": block.num_heads,
        "intermediate_size": int(config.embed_dim * block.mlp_ratio),
        "hidden_act": "gelu" if block.act == "gelu" else "gelu_pytorch_tanh",
        "hidden_dropout_prob": config.drop.drop_rate,
        "attention_probs_dropout_prob": config.drop.attn_drop_rate,
        "initializer_range": 0.02,
        "layer_norm_eps": norm.eps if isinstance(norm, LayerNormConfig) else 1e-12,
        "image_size": height if height == width else [height, width],
        "patch_size": config.patch_size,
        "num_channels": config.in_chans,
        "qkv_bias": block.qkv_bias,
    }
    if config.representation_size:
        written["pooler_output_size"] = config.representation_size
    if config.num_classes:
        written["id2label"] = {str(index): name for index, name in enumerate(classes)}
        written["label2id"] = {name: index for index, name in enumerate(classes)}
    return written
