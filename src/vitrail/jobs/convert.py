"""Write a model, or the mean of several, and keep the file only if it gives the same answers."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vitrail.core.errors import ConfigError, WeightsError
from vitrail.core.files import storage
from vitrail.jobs.averaging import average_models
from vitrail.models.vision_transformer import VisionTransformer
from vitrail.weights.formats import FORMATS
from vitrail.weights.load import load_weights
from vitrail.weights.reference import Reference, model_path
from vitrail.weights.report import Report

IMAGES, SEED = 8, 0
TOLERANCE = 1e-4
"""Largest difference of logits ÷ largest logit: room for a format that fixes LayerNorm's eps, for nothing else."""


@dataclass(frozen=True)
class Conversion:
    """Hold what a conversion left.

    Args:
        out: the file or folder.
        format: row of `FORMATS`.
        max_abs_diff: largest difference of logits between the source and what was written, read back.
        agreement: part of the images with the same most probable class.
        report: what became of every tensor of the source.
        notes: what the format has no place for.
        average: reference and sha256 of each model that it is the mean of; empty if it is of one.
    """

    out: Path
    format: str
    max_abs_diff: float
    agreement: float
    report: Report
    notes: tuple[str, ...] = ()
    average: tuple[dict[str, str], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Turn into the object that `convert --json` prints.

        Returns:
            Keys out, format, max_abs_diff, agreement, report, notes; average for a mean.
        """
        return {
            "out": str(self.out), "format": self.format, "max_abs_diff": self.max_abs_diff,
            "agreement": self.agreement, "report": self.report.to_json(), "notes": list(self.notes),
            **({"average": list(self.average)} if self.average else {}),
        }  # fmt: skip


def average(references: Sequence[Reference | Any], out: Reference, variant: str | None = None) -> Conversion:
    """Write the uniform mean of the weights of several models as one model file.

    Args:
        references: two or more of one architecture, with the same classes and preprocessing; or what `fit` returned.
        out: file to make; it must not exist.
        variant: what they are, where their files do not say.

    Returns:
        What was written; its report says what is worth knowing. The mean is not calibrated.

    Raises:
        WeightsError: if one cannot be read.
        ConfigError: if they do not belong together, or `out` exists.
        StorageError: if the disk refuses.
    """
    paths = [getattr(reference, "path", reference) for reference in references]
    if not paths:
        raise ConfigError("no model to average was given", hint="give two references or more")
    return convert(paths[0], out, "vitrail", variant, paths[1:])


def convert(
    reference: Reference,
    out: Reference,
    format_name: str,
    variant: str | None = None,
    others: Sequence[Reference] | None = None,
) -> Conversion:
    """Write a model in another format, read it back, and compare logits on random images.

    Args:
        reference: a run folder, a model file, or weights of any row of `FORMATS`.
        out: file or folder to make; it must not exist.
        format_name: row of `FORMATS`.
        variant: what the source is, where it does not say.
        others: models whose weights are averaged with those of `reference`; None to convert it alone.

    Returns:
        What was written, and how near it is.

    Raises:
        WeightsError: if the format cannot hold the model, or the logits differ; nothing is left behind.
        ConfigError: if `out` exists, or the models have no mean.
        StorageError: if the disk refuses.
    """
    row = FORMATS[format_name]
    if not row.writes:
        writable = ", ".join(name for name, other in FORMATS.items() if other.writes)
        raise WeightsError(f"format {format_name} is read, not written", hint=f"written are {writable}")
    target = Path(out)
    if target.exists() or target.is_symlink():
        raise ConfigError(f"{target} exists", hint="give another name, or remove it")
    if target.parent.exists() and not target.parent.is_dir():
        raise ConfigError(f"{target.parent} is a file", hint="give another folder")
    if others is None:
        loaded = load_weights(model_path(reference), variant)
    else:
        loaded = average_models([reference, *others], variant)
    record = loaded.record
    with storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".vitrail-") as folder:
            draft = Path(folder) / target.name
            row.write(draft, loaded.model, record)
            back = load_weights(draft, known=row.known(record.config)).model
            difference, scale, agreement = compare(loaded.model, back)
            if not difference <= TOLERANCE * scale or agreement < 1:
                told = f"logits differ by {difference:.3g} of {scale:.3g}, and {agreement:.0%} of the answers agree"
                raise WeightsError(f"{target}: not written: read back as {format_name}, its {told}")
            os.rename(draft, target)
    notes = []
    if record.calibration.changes and format_name != "vitrail":
        notes.append("the calibration (temperature, exponent) has no place in it: probabilities are not calibrated")
    if record.config.tokens.dynamic and format_name != "vitrail":
        notes.append("that it takes images of any size has no place in it: say so again where it is loaded")
    parts = () if others is None else tuple(record.training["average"])
    return Conversion(target, format_name, difference, agreement, loaded.report, tuple(notes), parts)


@torch.no_grad()
def compare(one: VisionTransformer, other: VisionTransformer) -> tuple[float, float, float]:
    """Compare the logits of two models on seeded random images.

    Args:
        one: in evaluation mode.
        other: in evaluation mode; it takes the same images.

    Returns:
        Largest difference, largest logit of the first, and the part of the images with the same largest logit.

    Raises:
        WeightsError: if they take different images or give different numbers of logits.
    """
    config = one.config
    if (config.image_size, config.in_chans) != (other.config.image_size, other.config.in_chans):
        raise WeightsError(f"read back, it takes images of {other.config.image_size}, not {config.image_size}")
    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(IMAGES, config.in_chans, *config.image_size, generator=generator)
    mine, its = one(images), other(images)
    if mine.shape != its.shape:
        raise WeightsError(f"read back, it gives {its.shape[1]} numbers an image, not {mine.shape[1]}")
    same = (mine.argmax(dim=1) == its.argmax(dim=1)).float().mean().item()
    return (mine - its).abs().max().item(), mine.abs().max().item(), same
