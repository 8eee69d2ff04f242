"""Transformers' preprocessor_config.json as an ImageSpec, and back."""

from __future__ import annotations

from typing import Any

from vitrail.core.errors import WeightsError
from vitrail.core.table import Table
from vitrail.data.spec import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, ImageSpec, Interpolation
from vitrail.weights.formats.base import refuse
from vitrail.weights.preprocessing import Preprocessing

RESAMPLE: dict[int, Interpolation] = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box"}
"""Pillow's numbers, by which transformers names them."""

DEFAULTS: Table[dict[str, Any]] = Table(
    "processor",
    {
        "vit": {
            "resample": 2, "size": 224, "default_to_square": True, "image_mean": HALF, "image_std": HALF,
            "do_resize": True, "do_rescale": True, "do_normalize": True,
        },
        "deit": {
            "resample": 3, "size": 256, "crop_size": 224, "do_center_crop": True, "default_to_square": True,
            "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, "do_resize": True, "do_rescale": True,
            "do_normalize": True,
        },
        "mae": {
            "resample": 2, "size": 224, "default_to_square": True, "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD, "do_resize": True, "do_rescale": True, "do_normalize": True,
        },
        "dinov2": {
            "resample": 3, "size": 256, "crop_size": 224, "do_center_crop": True, "default_to_square": False,
            "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD, "do_resize": True, "do_rescale": True,
            "do_normalize": True,
        },
        "dinov3": {
            "resample": 2, "size": 224, "default_to_square": True, "image_mean": IMAGENET_MEAN,
            "image_std": IMAGENET_STD, "do_resize": True, "do_rescale": True, "do_normalize": True,
        },
        "clip": {
            "resample": 3, "size": 224, "crop_size": 224, "do_center_crop": True, "default_to_square": False,
            "image_mean": CLIP_MEAN, "image_std": CLIP_STD, "do_resize": True, "do_rescale": True, "do_normalize": True,
        },
        "siglip": {
            "resample": 3, "size": 224, "default_to_square": True, "image_mean": HALF, "image_std": HALF,
            "do_resize": True, "do_rescale": True, "do_normalize": True,
        },
    },
    error=WeightsError,
)  # fmt: skip
"""What transformers takes for an entry that is not in the file."""


def read_processor(
    processor: dict[str, Any], kind: str
) -> tuple[Preprocessing | None, tuple[int, int] | None, tuple[str, ...]]:
    """Read a processor.

    Args:
        processor: `preprocessor_config.json`; empty if there is none.
        kind: row of `DEFAULTS`, for entries that are not in it.

    Returns:
        The preprocessing, the size it makes, and what to say about it.

    Raises:
        WeightsError: for what cannot be understood, or that no ImageSpec can say.
    """
    defaults = DEFAULTS[kind]
    said = {**defaults, **{key: value for key, value in processor.items() if value is not None}}
    notes = [] if processor else [f"no preprocessor_config.json: that of transformers' {kind} is assumed"]
    try:
        resized, shortest = _size(said["size"], bool(said["default_to_square"]))
        cropped = _size(said["crop_size"], True)[0] if said.get("do_center_crop") else resized
        factor = round(255 * float(said.get("rescale_factor", 1 / 255)), 9) if said["do_rescale"] else 255.0
        mean = [float(value) for value in said["image_mean"]] if said["do_normalize"] else [0.0] * 3
        std = [float(value) for value in said["image_std"]] if said["do_normalize"] else [1.0] * 3
        interpolation = RESAMPLE[int(said["resample"])]
    except (TypeError, ValueError, KeyError, IndexError) as error:
        hint = "it is damaged, or its processor is not one of ViT's"
        raise WeightsError(f"preprocessor_config.json cannot be understood ({error!r})", hint=hint) from error
    if not said["do_resize"]:
        notes.append("preprocessor_config.json does not resize; images of another size are resized here")
    fraction = max(cropped[0] / resized[0], cropped[1] / resized[1])
    if fraction > 1:
        raise WeightsError(f"preprocessor_config.json crops {cropped} of {resized}", hint="the crop must fit")
    squash = not shortest and fraction == 1
    if not shortest and fraction < 1:
        notes.append(f"its processor squashes images to {resized} before it crops; here their aspect is kept")
    scaled = tuple(value / factor for value in mean), tuple(value / factor for value in std)
    preprocessing = Preprocessing(*scaled, interpolation, "squash" if squash else "crop", fraction)
    return preprocessing, cropped, tuple(notes)


def _size(value: Any, square: bool) -> tuple[tuple[int, int], bool]:
    """Read a size: height and width, and whether it is that of the shorter side only."""
    if isinstance(value, dict) and "shortest_edge" in value:
        return (int(value["shortest_edge"]), int(value["shortest_edge"])), True
    if isinstance(value, dict):
        return (int(value["height"]), int(value["width"])), False
    if isinstance(value, list | tuple):
        return (int(value[0]), int(value[1])), False
    return (int(value), int(value)), not square


def write_processor(spec: ImageSpec) -> dict[str, Any]:
    """Say an ImageSpec in transformers' words.

    Args:
        spec: of colour images.

    Returns:
        `preprocessor_config.json`: ViT's processor where images are squashed, BiT's where they are cropped (ViT's does
        not crop).

    Raises:
        WeightsError: for a spec that transformers' processors cannot say.
    """
    height, width = spec.size
    crop = spec.mode == "crop"
    color = [f"color {spec.color!r}"] if spec.color != "RGB" else []
    keep = ["images whose aspect is kept"] if spec.mode == "keep" else []
    refuse("hugging-face", [*color, *keep, *(["a crop that is not square"] if crop and height != width else [])])
    numbers = {name: number for number, name in RESAMPLE.items()}
    written: dict[str, Any] = {
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(spec.mean),
        "image_std": list(spec.std),
        "resample": numbers[spec.interpolation],
    }
    if not crop:
        return {"image_processor_type": "ViTImageProcessor", **written, "size": {"height": height, "width": width}}
    return {
        "image_processor_type": "BitImageProcessor",
        **written,
        "do_convert_rgb": True,
        "do_center_crop": True,
        "size": {"shortest_edge": int(height / spec.crop_fraction)},
        "crop_size": {"height": height, "width": width},
    }
