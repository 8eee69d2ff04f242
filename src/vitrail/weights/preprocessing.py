"""The preprocessing that comes with weights: what their authors' code does to an image in evaluation."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from vitrail.core.table import Table
from vitrail.data.spec import (
    CLIP_MEAN,
    CLIP_STD,
    HALF,
    IMAGENET_MEAN,
    IMAGENET_STD,
    ColorMode,
    ImageSpec,
    Interpolation,
    Mode,
)

LARGE = 384
"""Models of this many pixels and more are fine-tuned at that size, and most are then shown the whole image."""


@dataclass(frozen=True)
class Preprocessing:
    """Describe an ImageSpec but for its size.

    Args:
        mean: of each channel.
        std: of each channel.
        interpolation: how pixels are resampled.
        mode: "crop" or "squash".
        crop_fraction: part kept by the crop.
        large_fraction: part kept by the crop at 384 pixels and more; None for the same.
    """

    mean: tuple[float, ...] = HALF
    std: tuple[float, ...] = HALF
    interpolation: Interpolation = "bicubic"
    mode: Mode = "crop"
    crop_fraction: float = 1.0
    large_fraction: float | None = None

    def spec(self, size: tuple[int, int], channels: int) -> ImageSpec:
        """Complete it.

        Args:
            size: height and width in pixels.
            channels: of the model's input; for another number than that of `mean`, each has the mean of those.
        """
        mean, std = self.mean, self.std
        if channels != len(mean):
            mean, std = (sum(mean) / len(mean),) * channels, (sum(std) / len(std),) * channels
        colors: dict[int, ColorMode] = {1: "L", 3: "RGB"}
        large = self.large_fraction is not None and max(size) >= LARGE
        fraction = self.large_fraction if large and self.large_fraction is not None else self.crop_fraction
        return ImageSpec(size, mean, std, self.interpolation, self.mode, fraction, colors.get(channels, "bands"))

    def describe(self) -> str:
        """Write it for a person, but for what depends on the size."""
        means = ", ".join(f"{value:g}" for value in self.mean)
        return f"mean {means}, {self.interpolation}, {self.mode}"


PREPROCESSING: Table[Preprocessing] = Table(
    "preprocessing",
    {
        "timm_vit": Preprocessing(crop_fraction=0.9, large_fraction=1.0),
        "timm_deit": Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop_fraction=0.9, large_fraction=1.0),
        "timm_clip": Preprocessing(CLIP_MEAN, CLIP_STD, crop_fraction=0.95, large_fraction=1.0),
        "timm_registers": Preprocessing(crop_fraction=0.95, large_fraction=1.0),
        "timm_dino": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
        "deit": Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop_fraction=0.875),
        "deit3": Preprocessing(IMAGENET_MEAN, IMAGENET_STD),
        "dinov3": Preprocessing(IMAGENET_MEAN, IMAGENET_STD, interpolation="bilinear", mode="squash"),
        "mae": Preprocessing(IMAGENET_MEAN, IMAGENET_STD, crop_fraction=0.875, large_fraction=1.0),
        "torchvision": Preprocessing(
            IMAGENET_MEAN, IMAGENET_STD, interpolation="bilinear", crop_fraction=0.875, large_fraction=1.0
        ),
        "google": Preprocessing(interpolation="bilinear", mode="squash"),
        "big_vision": Preprocessing(interpolation="bilinear", crop_fraction=0.875, large_fraction=384 / 448),
    },
)
"""From the authors' evaluation code; the spec's own resize keeps fractions of pixels that timm rounds away."""

DEIT_VARIANTS = frozenset(
    f"deit_{size}{distilled}_patch16_{image}"
    for size in ("tiny", "small", "base")
    for distilled in ("", "_distilled")
    for image in (224, 384)
)


def timm_preprocessing(state: Container[str], variant: str | None) -> tuple[Preprocessing, str]:
    """Choose between timm's kinds of ViT, of which a bare file does not tell all apart.

    Args:
        state: tensors by vitrail's names.
        variant: what the user says it is.

    Returns:
        The preprocessing, and what to say if it is a guess; "" if it is known.
    """
    kind, certain = _kind_in_timm(state)
    if variant in DEIT_VARIANTS:
        kind, certain = "timm_deit", True
    chosen = PREPROCESSING[kind]
    if certain or variant is not None:
        return chosen, ""
    whose = KINDS_IN_TIMM[kind]
    told = f"the file does not say its preprocessing: {chosen.describe()} is assumed, that of timm's {whose}"
    if kind == "timm_vit":
        told += "; if it is a DeiT, whose mean is ImageNet's, say so: variant=deit_small_patch16_224 and the like"
    return chosen, told


KINDS_IN_TIMM = {
    "timm_vit": "vit_*", "timm_deit": "DeiT III", "timm_clip": "CLIP", "timm_registers": "models with registers",
    "timm_dino": "DINOv2 and DINOv3",
}  # fmt: skip


def _kind_in_timm(names: Container[str]) -> tuple[str, bool]:
    """Tell a row by what its models alone have, and whether that is certain."""
    if "dist_token" in names:
        return "timm_deit", True
    if "norm_pre.weight" in names:
        return "timm_clip", False
    if "blocks.0.ls1.gamma" not in names:
        return "timm_vit", False
    if "cls_token" not in names:
        return "timm_registers", False
    return ("timm_deit" if "head.weight" in names else "timm_dino"), False
