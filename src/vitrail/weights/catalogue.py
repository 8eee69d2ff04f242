"""The catalogue of published weights: `name.tag` → where they are, their licence, and how good they are said to be.

Names and figures are timm's (version 1.0.31) wherever timm has the weights. Torch is not imported here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitrail.core.table import Table
from vitrail.data.spec import CLIP_MEAN, CLIP_STD, HALF, IMAGENET_MEAN, IMAGENET_STD, ImageSpec


@dataclass(frozen=True)
class Pretrained:
    """Describe one set of published weights.

    Args:
        repo: "owner/name" on the Hub.
        architecture: name of the model, which `create_model` may know.
        licence: of the weights.
        spec: the preprocessing that they want.
        parameters: how many there are, those of the head included.
        classes: of the head; 0 for none.
        top1: part of ImageNet-1k's validation images that it gets right, 0 … 1, as published; None if not known here.
        source: who published that figure, and how it was measured; "" if there is none.
    """

    repo: str
    architecture: str
    licence: str
    spec: ImageSpec
    parameters: int
    classes: int
    top1: float | None = None
    source: str = ""


PIXELS: Table[Mapping[str, Any]] = Table(
    "preprocessing",
    {
        "half": {"mean": HALF, "std": HALF},
        "half_squash": {"mean": HALF, "std": HALF, "mode": "squash"},
        "imagenet": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD},
        "dinov2": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "crop_fraction": 0.875},
        "dinov3": {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "mode": "squash", "interpolation": "bilinear"},
        "clip": {"mean": CLIP_MEAN, "std": CLIP_STD},
        "clip_squash": {"mean": CLIP_MEAN, "std": CLIP_STD, "mode": "squash"},
    },
)

APACHE = "apache-2.0"
ROWS: dict[str, tuple[Any, ...]] = {
    "test_vit.r160_in1k": ("half", 160, 0.95, 371_240, 1000, 40.982),
    "test_vit2.r160_in1k": ("half", 160, 0.95, 455_720, 1000, 42.25),
    "vit_tiny_patch16_224.augreg_in21k": ("half", 224, 0.9, 9_740_115, 21843),
    "vit_tiny_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 5_717_416, 1000, 75.452),
    "vit_tiny_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 5_790_376, 1000, 78.438),
    "vit_small_patch32_224.augreg_in21k": ("half", 224, 0.9, 30_903_507, 21843),
    "vit_small_patch32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 22_878_952, 1000, 76.01),
    "vit_small_patch32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 22_915_432, 1000, 80.476),
    "vit_small_patch16_224.augreg_in1k": ("half", 224, 0.9, 22_050_664, 1000, 78.842),
    "vit_small_patch16_224.augreg_in21k": ("half", 224, 0.9, 30_075_219, 21843),
    "vit_small_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 22_050_664, 1000, 81.402),
    "vit_small_patch16_384.augreg_in1k": ("half", 384, 1.0, 22_196_584, 1000),
    "vit_small_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 22_196_584, 1000, 83.814),
    "vit_base_patch32_224.augreg_in1k": ("half", 224, 0.9, 88_224_232, 1000, 74.908),
    "vit_base_patch32_224.augreg_in21k": ("half", 224, 0.9, 104_252_499, 21843),
    "vit_base_patch32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 88_224_232, 1000, 80.732),
    "vit_base_patch32_224.orig_in21k": ("half", 224, 0.9, 87_455_232, 0),
    "vit_base_patch32_224.sam_in1k": ("half", 224, 0.9, 88_224_232, 1000, 73.704),
    "vit_base_patch32_384.augreg_in1k": ("half", 384, 1.0, 88_297_192, 1000),
    "vit_base_patch32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 88_297_192, 1000, 83.358),
    "vit_base_patch16_224.augreg2_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 85.108),
    "vit_base_patch16_224.augreg_in1k": ("half", 224, 0.9, 86_567_656, 1000, 79.154),
    "vit_base_patch16_224.augreg_in21k": ("half", 224, 0.9, 102_595_923, 21843),
    "vit_base_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 84.534),
    "vit_base_patch16_224.orig_in21k": ("half", 224, 0.9, 85_798_656, 0),
    "vit_base_patch16_224.orig_in21k_ft_in1k": ("half", 224, 0.9, 86_567_656, 1000, 81.782),
    "vit_base_patch16_224.sam_in1k": ("half", 224, 0.9, 86_567_656, 1000, 80.246),
    "vit_base_patch16_384.augreg_in1k": ("half", 384, 1.0, 86_859_496, 1000),
    "vit_base_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 86_859_496, 1000, 86.01),
    "vit_base_patch16_384.orig_in21k_ft_in1k": ("half", 384, 1.0, 86_859_496, 1000, 84.212),
    "vit_base_patch8_224.augreg2_in21k_ft_in1k": ("half", 224, 0.9, 86_576_872, 1000, 86.252),
    "vit_base_patch8_224.augreg_in21k": ("half", 224, 0.9, 102_605_139, 21843),
    "vit_base_patch8_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 86_576_872, 1000, 85.838),
    "vit_large_patch32_224.orig_in21k": ("half", 224, 0.9, 305_510_400, 0),
    "vit_large_patch32_384.orig_in21k_ft_in1k": ("half", 384, 1.0, 306_632_680, 1000, 81.508),
    "vit_large_patch16_224.augreg_in21k": ("half", 224, 0.9, 325_690_707, 21843),
    "vit_large_patch16_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 304_326_632, 1000, 85.856),
    "vit_large_patch16_224.orig_in21k": ("half", 224, 0.9, 303_301_632, 0),
    "vit_large_patch16_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 304_715_752, 1000, 87.096),
    "vit_huge_patch14_224.orig_in21k": ("half", 224, 0.9, 630_764_800, 0),
    "vit_base_r50_s16_224.orig_in21k": ("half", 224, 0.9, 97_890_112, 0),
    "vit_base_r50_s16_384.orig_in21k_ft_in1k": ("half", 384, 1.0, 98_950_952, 1000, 84.988),
    "vit_large_r50_s32_224.augreg_in21k": ("half", 224, 0.9, 350_358_931, 21843),
    "vit_large_r50_s32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 328_994_856, 1000, 84.434),
    "vit_large_r50_s32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 329_092_136, 1000, 86.188),
    "vit_small_r26_s32_224.augreg_in21k": ("half", 224, 0.9, 44_456_467, 21843),
    "vit_small_r26_s32_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 36_431_912, 1000, 81.856),
    "vit_small_r26_s32_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 36_468_392, 1000, 84.066),
    "vit_tiny_r_s16_p8_224.augreg_in21k": ("half", 224, 0.9, 10_360_403, 21843),
    "vit_tiny_r_s16_p8_224.augreg_in21k_ft_in1k": ("half", 224, 0.9, 6_337_704, 1000, 71.8),
    "vit_tiny_r_s16_p8_384.augreg_in21k_ft_in1k": ("half", 384, 1.0, 6_355_944, 1000, 75.962),
    "deit_tiny_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 5_717_416, 1000, 72.19),
    "deit_tiny_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 5_910_800, 1000, 74.538),
    "deit_small_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 22_050_664, 1000, 79.856),
    "deit_small_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 22_436_432, 1000, 81.204),
    "deit_base_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 86_567_656, 1000, 81.98),
    "deit_base_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 86_859_496, 1000, 83.108),
    "deit_base_distilled_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 87_338_192, 1000, 83.384),
    "deit_base_distilled_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 87_630_032, 1000, 85.438),
    "deit3_small_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 22_059_496, 1000, 81.382),
    "deit3_small_patch16_224.fb_in22k_ft_in1k": ("imagenet", 224, 1.0, 22_059_496, 1000, 83.082),
    "deit3_small_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 22_205_416, 1000),
    "deit3_small_patch16_384.fb_in22k_ft_in1k": ("imagenet", 384, 1.0, 22_205_416, 1000),
    "deit3_medium_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 38_849_512, 1000, 83.09),
    "deit3_medium_patch16_224.fb_in22k_ft_in1k": ("imagenet", 224, 1.0, 38_849_512, 1000, 84.55),
    "deit3_base_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 86_585_320, 1000, 83.8),
    "deit3_base_patch16_224.fb_in22k_ft_in1k": ("imagenet", 224, 1.0, 86_585_320, 1000, 85.728),
    "deit3_base_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 86_877_160, 1000),
    "deit3_base_patch16_384.fb_in22k_ft_in1k": ("imagenet", 384, 1.0, 86_877_160, 1000),
    "deit3_large_patch16_224.fb_in1k": ("imagenet", 224, 0.9, 304_374_760, 1000, 84.772),
    "deit3_large_patch16_224.fb_in22k_ft_in1k": ("imagenet", 224, 1.0, 304_374_760, 1000, 86.99),
    "deit3_large_patch16_384.fb_in1k": ("imagenet", 384, 1.0, 304_763_880, 1000),
    "deit3_large_patch16_384.fb_in22k_ft_in1k": ("imagenet", 384, 1.0, 304_763_880, 1000),
    "deit3_huge_patch14_224.fb_in1k": ("imagenet", 224, 0.9, 632_126_440, 1000, 85.204),
    "deit3_huge_patch14_224.fb_in22k_ft_in1k": ("imagenet", 224, 1.0, 632_126_440, 1000, 87.18),
    "vit_base_patch16_224.mae": ("imagenet", 224, 0.9, 85_798_656, 0, None, "cc-by-nc-4.0"),
    "vit_large_patch16_224.mae": ("imagenet", 224, 0.9, 303_301_632, 0, None, "cc-by-nc-4.0"),
    "vit_huge_patch14_224.mae": ("imagenet", 224, 0.9, 630_764_800, 0, None, "cc-by-nc-4.0"),
    "vit_small_patch16_224.dino": ("imagenet", 224, 0.9, 21_665_664, 0),
    "vit_small_patch8_224.dino": ("imagenet", 224, 0.9, 21_670_272, 0),
    "vit_base_patch16_224.dino": ("imagenet", 224, 0.9, 85_798_656, 0),
    "vit_base_patch8_224.dino": ("imagenet", 224, 0.9, 85_807_872, 0),
    "vit_small_patch14_dinov2.lvd142m": ("imagenet", 518, 1.0, 22_056_192, 0),
    "vit_small_patch14_reg4_dinov2.lvd142m": ("imagenet", 518, 1.0, 22_057_344, 0),
    "vit_base_patch14_dinov2.lvd142m": ("imagenet", 518, 1.0, 86_579_712, 0),
    "vit_base_patch14_reg4_dinov2.lvd142m": ("imagenet", 518, 1.0, 86_582_016, 0),
    "vit_large_patch14_dinov2.lvd142m": ("imagenet", 518, 1.0, 304_367_616, 0),
    "vit_large_patch14_reg4_dinov2.lvd142m": ("imagenet", 518, 1.0, 304_370_688, 0),
    "vit_giant_patch14_dinov2.lvd142m": ("imagenet", 518, 1.0, 1_136_479_232, 0),
    "vit_giant_patch14_reg4_dinov2.lvd142m": ("imagenet", 518, 1.0, 1_136_483_840, 0),
    "flexivit_small.1200ep_in1k": ("half", 240, 0.95, 22_061_416, 1000, 82.58),
    "flexivit_small.300ep_in1k": ("half", 240, 0.95, 22_061_416, 1000, 82.17),
    "flexivit_small.600ep_in1k": ("half", 240, 0.95, 22_061_416, 1000, 82.39),
    "flexivit_base.patch30_in21k": ("half", 240, 0.95, 102_617_427, 21843),
    "flexivit_base.patch16_in21k": ("half", 240, 0.95, 102_617_427, 21843),
    "flexivit_base.1000ep_in21k": ("half", 240, 0.95, 102_617_427, 21843),
    "flexivit_base.1200ep_in1k": ("half", 240, 0.95, 86_589_160, 1000, 84.68),
    "flexivit_base.300ep_in1k": ("half", 240, 0.95, 86_589_160, 1000, 84.4),
    "flexivit_base.300ep_in21k": ("half", 240, 0.95, 102_617_427, 21843),
    "flexivit_base.600ep_in1k": ("half", 240, 0.95, 86_589_160, 1000, 84.56),
    "flexivit_large.1200ep_in1k": ("half", 240, 0.95, 304_355_304, 1000, 85.65),
    "flexivit_large.300ep_in1k": ("half", 240, 0.95, 304_355_304, 1000, 85.28),
    "flexivit_large.600ep_in1k": ("half", 240, 0.95, 304_355_304, 1000, 85.53),
    "vit_wee_patch16_reg1_gap_256.sbb_in1k": ("half", 256, 0.95, 13_422_568, 1000, 80.262),
    "vit_little_patch16_reg1_gap_256.sbb_in12k": ("half", 256, 0.95, 25_988_589, 11821),
    "vit_little_patch16_reg1_gap_256.sbb_in12k_ft_in1k": ("half", 256, 0.95, 22_515_048, 1000),
    "vit_little_patch16_reg4_gap_256.sbb_in1k": ("half", 256, 0.95, 22_516_008, 1000, 82.52),
    "vit_mediumd_patch16_reg4_gap_256.sbb2_e200_in12k": ("half", 256, 0.95, 69_660_205, 11821),
    "vit_mediumd_patch16_reg4_gap_256.sbb2_e200_in12k_ft_in1k": ("half", 256, 0.95, 64_109_032, 1000),
    "vit_mediumd_patch16_reg4_gap_256.sbb_in12k": ("half", 256, 0.95, 69_660_205, 11821),
    "vit_mediumd_patch16_reg4_gap_256.sbb_in12k_ft_in1k": ("half", 256, 0.95, 64_109_032, 1000),
    "vit_mediumd_patch16_reg4_gap_384.sbb2_e200_in12k_ft_in1k": ("half", 384, 1.0, 64_272_872, 1000),
    "vit_medium_patch16_reg1_gap_256.sbb_in1k": ("half", 256, 0.95, 38_880_232, 1000),
    "vit_medium_patch16_reg4_gap_256.sbb_in12k": ("half", 256, 0.95, 44_432_941, 11821),
    "vit_medium_patch16_reg4_gap_256.sbb_in12k_ft_in1k": ("half", 256, 0.95, 38_881_768, 1000),
    "vit_medium_patch16_reg4_gap_256.sbb_in1k": ("half", 256, 0.95, 38_881_768, 1000, 83.466),
    "vit_betwixt_patch16_reg1_gap_256.sbb_in1k": ("half", 256, 0.95, 60_396_520, 1000),
    "vit_betwixt_patch16_reg4_gap_256.sbb2_e200_in12k": ("half", 256, 0.95, 67_334_701, 11821),
    "vit_betwixt_patch16_reg4_gap_256.sbb2_e200_in12k_ft_in1k": ("half", 256, 0.95, 60_398_440, 1000),
    "vit_betwixt_patch16_reg4_gap_256.sbb_in12k": ("half", 256, 0.95, 67_334_701, 11821),
    "vit_betwixt_patch16_reg4_gap_256.sbb_in12k_ft_in1k": ("half", 256, 0.95, 60_398_440, 1000),
    "vit_betwixt_patch16_reg4_gap_256.sbb_in1k": ("half", 256, 0.95, 60_398_440, 1000, 83.71),
    "vit_betwixt_patch16_reg4_gap_384.sbb2_e200_in12k_ft_in1k": ("half", 384, 1.0, 60_603_240, 1000),
    "vit_so150m2_patch16_reg1_gap_256.sbb_e200_in12k": ("half", 256, 1.0, 145_073_453, 11821),
    "vit_so150m2_patch16_reg1_gap_256.sbb_e200_in12k_ft_in1k": ("half", 256, 1.0, 136_059_560, 1000),
    "vit_so150m2_patch16_reg1_gap_384.sbb_e200_in12k_ft_in1k": ("half", 384, 1.0, 136_325_800, 1000),
    "vit_so150m2_patch16_reg1_gap_448.sbb_e200_in12k_ft_in1k": ("half_squash", 448, 1.0, 136_498_856, 1000, 88.074),
    "vit_so150m_patch16_reg4_gap_256.sbb_e250_in12k": ("half", 256, 0.95, 143_837_997, 11821),
    "vit_so150m_patch16_reg4_gap_256.sbb_e250_in12k_ft_in1k": ("half", 256, 0.95, 134_131_560, 1000),
    "vit_so150m_patch16_reg4_gap_384.sbb_e250_in12k_ft_in1k": ("half", 384, 1.0, 134_418_280, 1000),
    "vit_base_patch32_clip_224.laion2b_ft_in12k_in1k": ("clip", 224, 0.9, 88_225_000, 1000),
    "vit_base_patch32_clip_224.laion2b_ft_in1k": ("clip", 224, 0.9, 88_225_000, 1000),
    "vit_base_patch32_clip_224.openai_ft_in1k": ("clip", 224, 0.9, 88_225_000, 1000),
    "vit_base_patch32_clip_384.laion2b_ft_in12k_in1k": ("clip", 384, 1.0, 88_297_960, 1000),
    "vit_base_patch32_clip_384.openai_ft_in12k_in1k": ("clip_squash", 384, 0.95, 88_297_960, 1000),
    "vit_base_patch32_clip_448.laion2b_ft_in12k_in1k": ("clip", 448, 1.0, 88_337_896, 1000),
    "vit_base_patch16_clip_224.laion2b_ft_in12k": ("clip", 224, 0.9, 94_889_773, 11821),
    "vit_base_patch16_clip_224.laion2b_ft_in12k_in1k": ("clip", 224, 0.95, 86_568_424, 1000, 86.204),
    "vit_base_patch16_clip_224.laion2b_ft_in1k": ("clip", 224, 1.0, 86_568_424, 1000),
    "vit_base_patch16_clip_224.openai_ft_in12k": ("clip", 224, 0.9, 94_889_773, 11821),
    "vit_base_patch16_clip_224.openai_ft_in12k_in1k": ("clip", 224, 0.95, 86_568_424, 1000),
    "vit_base_patch16_clip_224.openai_ft_in1k": ("clip", 224, 0.9, 86_568_424, 1000, 85.282),
    "vit_base_patch16_clip_384.laion2b_ft_in12k_in1k": ("clip_squash", 384, 1.0, 86_860_264, 1000),
    "vit_base_patch16_clip_384.laion2b_ft_in1k": ("clip_squash", 384, 1.0, 86_860_264, 1000),
    "vit_base_patch16_clip_384.openai_ft_in12k_in1k": ("clip_squash", 384, 0.95, 86_860_264, 1000),
    "vit_base_patch16_clip_384.openai_ft_in1k": ("clip_squash", 384, 1.0, 86_860_264, 1000),
    "vit_large_patch14_clip_224.laion2b_ft_in12k": ("half", 224, 1.0, 315_296_301, 11821),
    "vit_large_patch14_clip_224.laion2b_ft_in12k_in1k": ("half", 224, 1.0, 304_204_776, 1000),
    "vit_large_patch14_clip_224.laion2b_ft_in1k": ("half", 224, 1.0, 304_204_776, 1000),
    "vit_large_patch14_clip_224.openai_ft_in12k": ("clip", 224, 1.0, 315_296_301, 11821),
    "vit_large_patch14_clip_224.openai_ft_in12k_in1k": ("clip", 224, 1.0, 304_204_776, 1000),
    "vit_large_patch14_clip_224.openai_ft_in1k": ("clip", 224, 1.0, 304_204_776, 1000),
    "vit_large_patch14_clip_336.laion2b_ft_in12k_in1k": ("half_squash", 336, 1.0, 304_532_456, 1000),
    "vit_large_patch14_clip_336.laion2b_ft_in1k": ("half_squash", 336, 1.0, 304_532_456, 1000),
    "vit_large_patch14_clip_336.openai_ft_in12k_in1k": ("clip_squash", 336, 1.0, 304_532_456, 1000),
    "vit_huge_patch14_clip_224.laion2b_ft_in12k": ("clip", 224, 1.0, 645_908_781, 11821),
    "vit_huge_patch14_clip_224.laion2b_ft_in12k_in1k": ("clip", 224, 1.0, 632_047_080, 1000),
    "vit_huge_patch14_clip_224.laion2b_ft_in1k": ("clip", 224, 1.0, 632_047_080, 1000),
    "vit_huge_patch14_clip_336.laion2b_ft_in12k_in1k": ("clip_squash", 336, 1.0, 632_456_680, 1000),
    "vit_base_patch32_siglip_256.v2_webli": ("half", 256, 0.9, 94_552_320, 0),
    "vit_base_patch16_siglip_224.v2_webli": ("half", 224, 0.9, 92_884_224, 0),
    "vit_base_patch16_siglip_224.webli": ("half", 224, 0.9, 92_884_224, 0),
    "vit_base_patch16_siglip_256.v2_webli": ("half", 256, 0.9, 92_930_304, 0),
    "vit_base_patch16_siglip_256.webli": ("half", 256, 0.9, 92_930_304, 0),
    "vit_base_patch16_siglip_384.v2_webli": ("half", 384, 0.9, 93_176_064, 0),
    "vit_base_patch16_siglip_384.webli": ("half", 384, 0.9, 93_176_064, 0),
    "vit_base_patch16_siglip_512.v2_webli": ("half", 512, 0.9, 93_520_128, 0),
    "vit_base_patch16_siglip_512.webli": ("half", 512, 0.9, 93_520_128, 0),
    "vit_large_patch16_siglip_256.v2_webli": ("half", 256, 0.9, 315_956_224, 0),
    "vit_large_patch16_siglip_256.webli": ("half", 256, 0.9, 315_956_224, 0),
    "vit_large_patch16_siglip_384.v2_webli": ("half", 384, 0.9, 316_283_904, 0),
    "vit_large_patch16_siglip_384.webli": ("half", 384, 0.9, 316_283_904, 0),
    "vit_large_patch16_siglip_512.v2_webli": ("half", 512, 0.9, 316_742_656, 0),
    "vit_so400m_patch16_siglip_256.v2_webli": ("half", 256, 0.9, 427_888_064, 0),
    "vit_so400m_patch16_siglip_384.v2_webli": ("half", 384, 0.9, 428_256_704, 0),
    "vit_so400m_patch16_siglip_512.v2_webli": ("half", 512, 0.9, 428_772_800, 0),
    "vit_so400m_patch14_siglip_224.v2_webli": ("half", 224, 0.9, 427_680_704, 0),
    "vit_so400m_patch14_siglip_224.webli": ("half", 224, 0.9, 427_680_704, 0),
    "vit_so400m_patch14_siglip_378.v2_webli": ("half", 378, 0.9, 428_225_600, 0),
    "vit_so400m_patch14_siglip_378.webli": ("half", 378, 0.9, 428_225_600, 0),
    "vit_so400m_patch14_siglip_378.webli_ft_in1k": ("half_squash", 378, 1.0, 429_378_600, 1000, 89.41),
    "vit_so400m_patch14_siglip_gap_378.webli_ft_in1k": ("half_squash", 378, 1.0, 414_140_248, 1000),
    "vit_giantopt_patch16_siglip_256.v2_webli": ("half", 256, 0.9, 1_163_168_256, 0),
    "vit_giantopt_patch16_siglip_384.v2_webli": ("half", 384, 0.9, 1_163_659_776, 0),
}
"""Name in timm → row of `PIXELS`, side, part kept by the crop, parameters, classes, top-1 in % and licence if it is not
Apache's. Top-1: timm's results-imagenet.csv of 1.0.31, crop as here."""


def _of_timm(
    name: str, pixels: str, side: int, crop: float, parameters: int, classes: int,
    top1: float | None = None, licence: str = APACHE,
) -> Pretrained:  # fmt: skip
    spec = ImageSpec((side, side), crop_fraction=crop, **PIXELS[pixels])
    part = None if top1 is None else round(top1 / 100, 6)
    source = "" if top1 is None else "timm, results-imagenet.csv"
    return Pretrained(f"timm/{name}", name.partition(".")[0], licence, spec, parameters, classes, part, source)


DINO_2_ROWS: dict[str, tuple[str, str, int, float]] = {
    "dinov2_small": ("dinov2-small", "vit_small_patch14_dinov2", 22_056_192, 81.1),
    "dinov2_base": ("dinov2-base", "vit_base_patch14_dinov2", 86_579_712, 84.5),
    "dinov2_large": ("dinov2-large", "vit_large_patch14_dinov2", 304_367_616, 86.3),
    "dinov2_giant": ("dinov2-giant", "vit_giant_patch14_dinov2", 1_136_479_232, 86.5),
    "dinov2_small_reg4": ("dinov2-with-registers-small", "vit_small_patch14_reg4_dinov2", 22_057_728, 80.9),
    "dinov2_base_reg4": ("dinov2-with-registers-base", "vit_base_patch14_reg4_dinov2", 86_582_784, 84.6),
    "dinov2_large_reg4": ("dinov2-with-registers-large", "vit_large_patch14_reg4_dinov2", 304_371_712, 86.7),
    "dinov2_giant_reg4": ("dinov2-with-registers-giant", "vit_giant_patch14_reg4_dinov2", 1_136_485_376, 87.1),
}
"""Name → facebook's repository, architecture, parameters without the mask token, top-1 in % of a linear classifier on
frozen features, at 224 pixels (facebookresearch/dinov2). The preprocessing is that of transformers' conversion."""

DINO_3_ROWS: dict[str, tuple[str, str, int]] = {
    "dinov3_small": ("dinov3-vits16-pretrain-lvd1689m", "vit_small_patch16_dinov3", 21_596_160),
    "dinov3_small_plus": ("dinov3-vits16plus-pretrain-lvd1689m", "vit_small_plus_patch16_dinov3", 28_692_480),
    "dinov3_base": ("dinov3-vitb16-pretrain-lvd1689m", "vit_base_patch16_dinov3", 85_659_648),
    "dinov3_large": ("dinov3-vitl16-pretrain-lvd1689m", "vit_large_patch16_dinov3", 303_128_576),
    "dinov3_huge_plus": ("dinov3-vith16plus-pretrain-lvd1689m", "vit_huge_plus_patch16_dinov3", 840_591_360),
    "dinov3_7b": ("dinov3-vit7b16-pretrain-lvd1689m", "vit_7b_patch16_dinov3", 6_716_030_976),
}
"""Likewise; their owner gives them to those who accept a licence of its own. No top-1 is published, but on ReaL."""


def _of_facebook(
    pixels: str, licence: str, repo: str, architecture: str, parameters: int, top1: float | None = None
) -> Pretrained:
    part = None if top1 is None else round(top1 / 100, 6)
    source = "" if top1 is None else "facebookresearch/dinov2, linear classifier on frozen features"
    spec = ImageSpec(**PIXELS[pixels])
    return Pretrained(f"facebook/{repo}", architecture, licence, spec, parameters, 0, part, source)


PRETRAINED: Table[Pretrained] = Table(
    "set of weights",
    {
        **{name: _of_timm(name, *row) for name, row in ROWS.items()},
        **{name: _of_facebook("dinov2", APACHE, *row) for name, row in DINO_2_ROWS.items()},
        **{name: _of_facebook("dinov3", "dinov3-license", *row) for name, row in DINO_3_ROWS.items()},
    },
    listing="`vitrail models --pretrained` lists all names",
)


def list_pretrained(pattern: str = "*") -> list[str]:
    """List the names of published weights.

    Args:
        pattern: shell pattern such as "*base*"; a plain word matches anywhere in a name.

    Returns:
        Names, in the order of the table; each is a reference, which `load` and `fit` fetch from the Hub.
    """
    wanted = pattern if any(character in pattern for character in "*?[") else f"*{pattern}*"
    return [name for name in PRETRAINED if fnmatch.fnmatchcase(name, wanted)]


def find_pretrained(reference: str) -> Pretrained | None:
    """Look up what a reference stands for.

    Args:
        reference: a row of `PRETRAINED`, with or without the owner "timm/" before it.

    Returns:
        The row; None if there is none.
    """
    name = reference.removeprefix("timm/")
    found: Pretrained | None = PRETRAINED.get(name)
    return found if found is None or reference in (name, found.repo) else None


def pretrained_of(architecture: str) -> list[str]:
    """List the published weights of an architecture.

    Args:
        architecture: name of a model, such as a row of `VARIANTS`.

    Returns:
        Rows of `PRETRAINED`.
    """
    return [name for name, row in PRETRAINED.items() if row.architecture == architecture]
