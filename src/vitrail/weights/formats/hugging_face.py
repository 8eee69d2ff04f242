"""Hugging Face directories: config.json, weights, preprocessor_config.json, as transformers writes and reads them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar

from safetensors.torch import save
from torch import Tensor, nn

from vitrail.core.errors import WeightsError
from vitrail.core.files import write_atomically
from vitrail.weights.content import PROCESSOR_NAME, Content
from vitrail.weights.formats.base import Format, Reading, refuse
from vitrail.weights.formats.families import FAMILIES, Family
from vitrail.weights.formats.families.base import depth
from vitrail.weights.formats.processor import read_processor, write_processor
from vitrail.weights.model_file import ModelRecord
from vitrail.weights.reference import CONFIG_NAME, MODEL_NAME

KNOWN = ", ".join(sorted({kind for family in FAMILIES.values() for kind in family.kinds}))


class HuggingFace(Format):
    """Read and write directories of the families of `FAMILIES`."""

    name: ClassVar[str] = "hugging-face"
    what: ClassVar[str] = "a Hugging Face directory"
    resize: ClassVar[str] = "transformers"
    writes: ClassVar[bool] = True
    folder: ClassVar[bool] = True

    def matches(self, content: Content) -> bool:
        """Look for `model_type`, or for transformers' names."""
        ends = ("embeddings.patch_embeddings.projection.weight", "embeddings.patch_embedding.weight")
        named = any(name.endswith(ends) for name in content.tensors)
        return "model_type" in content.config or (named and not content.config)

    def read(self, content: Content, variant: str | None) -> Reading:
        """Rename, join queries, keys and values, and read the architecture, the labels and the processor."""
        if not content.config:
            hint = "give the folder that holds config.json, not the file in it"
            raise WeightsError("weights of transformers without config.json, which says heads and eps", hint=hint)
        family = _family(content)
        config = {**family.defaults, **content.config, **content.config.get("vision_config", {})}
        left = {
            name: why
            for pattern, why in family.left.items()
            for name in content.tensors
            if re.fullmatch(pattern, name)
        }  # fmt: skip
        stored = {name.removeprefix(family.prefix): name for name in content.tensors if name not in left}
        if len(stored) + len(left) < len(content.tensors):
            raise WeightsError(f"names with and without {family.prefix!r} stand for the same tensors")
        tensors = {name: content.tensors[place] for name, place in stored.items()}
        tensors, passed = family.prepare(tensors, config)
        state, unknown = family.keys(config).to_ours(tensors)
        try:
            absent = family.absent(state, config)
            fields = family.fields(config)
        except (TypeError, ValueError, IndexError, KeyError) as error:
            raise WeightsError(
                f"config.json cannot be understood ({error})", hint="it is damaged: copy it again"
            ) from error
        blocks = {name.split(".")[1] for name in state if name.startswith("blocks.")}
        if len(blocks) > depth(config):
            raise WeightsError(
                f"{len(blocks)} blocks, and config.json says {depth(config)}", hint="it is of other weights"
            )
        if absent:
            named = ", ".join(list(absent.values())[:6])
            raise WeightsError(f"{len(absent)} tensors are missing: {named}", hint="the file is not whole")
        labelled = any("classifier.weight" in name for name in content.tensors)
        preprocessing, size, notes = read_processor(content.processor, family.processor)
        return Reading(
            state, fields, {}, preprocessing, size, _classes(config, state, labelled),
            left | {stored[name]: why for name, why in passed.items()},
            tuple(stored.get(name, name) for name in unknown), notes, family.resize,
        )  # fmt: skip

    def write(self, out: Path, model: nn.Module, record: ModelRecord) -> None:
        """Write a directory that transformers' AutoModel classes and AutoImageProcessor load."""
        state = model.state_dict()
        tried: list[list[str]] = []
        for family in FAMILIES.values():
            content, lost = _draft(out, family, state, record)
            lost += self.lost(content, record.config)
            if not lost:
                break
            tried.append(lost)
        else:
            refuse(self.name, _fewest(tried))
        write_atomically(out / CONFIG_NAME, json.dumps(content.config, indent=2) + "\n")
        write_atomically(out / PROCESSOR_NAME, json.dumps(content.processor, indent=2) + "\n")
        write_atomically(out / MODEL_NAME, save(content.tensors, metadata={"format": "pt"}))


def _fewest(tried: list[list[str]]) -> list[str]:
    return min(tried, key=len)


def _family(content: Content) -> Family:
    found = next((row for row in FAMILIES.values() if row.claims(content.config, content.tensors)), None)
    if found is None:
        kind = content.config.get("model_type")
        raise WeightsError(f"model_type {kind!r} is not read", hint=f"read are {KNOWN}")
    return found


def _draft(out: Path, family: Family, state: dict[str, Tensor], record: ModelRecord) -> tuple[Content, list[str]]:
    """Put together what would be written, and name what there is no place for."""
    config, classes = record.config, record.classes
    said = family.config(config)
    tensors, unknown = family.keys({**family.defaults, **said}).to_theirs(state, config.block.num_heads)
    tensors, lost = family.finish(tensors, config)
    if config.num_classes:
        said["id2label"] = {str(index): name for index, name in enumerate(classes)}
        said["label2id"] = {name: index for index, name in enumerate(classes)}
    content = Content(out, "safetensors", tensors, (), said, write_processor(record.spec))
    return content, [*unknown, *lost, *family.lacking(state, config)]


def _classes(config: dict[str, Any], state: dict[str, Any], has_labels: bool) -> tuple[str, ...] | None:
    """Read the labels, if they are as many as the head has outputs."""
    labels = config.get("id2label")
    if not isinstance(labels, dict) or not has_labels:
        return None
    count = len(state["head.weight"])
    names = [labels.get(str(index)) for index in range(count)]
    if len(labels) != count or None in names:
        raise WeightsError(f"config.json has {len(labels)} labels for {count} classes", hint="it is of other weights")
    return tuple(map(str, names))
