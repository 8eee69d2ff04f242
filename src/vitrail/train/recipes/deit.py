"""From scratch on ImageNet as in DeiT, Touvron et al. 2020 (arXiv 2012.12877), and DeiT III, 2022 (arXiv 2204.07118).

Sources: facebookresearch/deit, `main.py` and its defaults. The rate moves by step here, by epoch there; it rises from
1e-6 and falls to 1e-5. Mixup draws a weight for each image here, for each batch there. Images are normalised as the
model's spec says; the authors' mean and std are ImageNet's (`--set mean=[0.485,0.456,0.406] std=[0.229,0.224,0.225]`),
and they judge on crops of `crop_fraction=0.875`.
"""

from __future__ import annotations

from dataclasses import replace

from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig
from vitrail.data.order import OrderConfig
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.nn.block_config import DropConfig
from vitrail.train.recipe import ObjectiveConfig, OptimizerConfig, Recipe, ScheduleConfig

DEIT = Recipe(
    epochs=300,
    batch_size=1024,
    image_size=224,
    ema=0.99996,
    optimizer=OptimizerConfig(lr=1e-3, weight_decay=0.05, clip=None),
    schedule=ScheduleConfig(decay="cosine", warmup=5 / 300, final=1 / 100, initial=1 / 1000),
    order=OrderConfig(repeats=3),
    augment=AugmentConfig(
        crop_scale=(0.08, 1.0),
        flip=True,
        rand=RandAugmentConfig("timm", operations=2, magnitude=9, spread=0.5),
        erase=0.25,
        erase_fill="noise",
    ),
    mix=MixConfig(mixup=0.8, cutmix=1.0, label_smoothing=0.1),
    drop=DropConfig(drop_path_rate=0.1),
)
"""For `deit_tiny_patch16_224`, `deit_small_patch16_224` and `deit_base_patch16_224`: a rate of 5e-4 · batch ÷ 512,
`rand-m9-mstd0.5-inc1`, mixup and cutmix by turns, erasing with noise, repeated augmentation. The running mean has a
smaller decay in the first 225,000 steps, and is what is judged, saved and used; there the weights themselves are
judged. RandAugment's geometry is one bilinear resampling before its changes of colour, and what moves in is a
reflection; there it is bicubic, in the order drawn, and filled with the mean colour. An erased area is 33 % at most,
there a third. Expected: Ti 72.2, S 79.9, B 81.8 %. Cost of B/16: 6 · 17.56 GMACs · 384 M images, 40 exaFLOPs.
Distilled: `deit_distilled`."""

DEIT_DISTILLED = replace(DEIT, objective=ObjectiveConfig(distillation="hard", distillation_token=True))
"""The same with a teacher, `--teacher REF`, for `deit_tiny_distilled_patch16_224`, `deit_small_distilled_patch16_224`
and `deit_base_distilled_patch16_224`: half of the loss is the class that the teacher finds most probable, learned by
the distillation token's head; both heads' mean answers. The authors' teacher is a RegNetY-16GF of 82.9 %, which vitrail
does not have. Expected: Ti 74.5, S 81.2, B 83.4 %. Cost: that of `deit`, and a forward pass of the teacher, which is
15.9 GMACs an image there."""

DEIT3 = Recipe(
    epochs=800,
    batch_size=2048,
    image_size=192,
    optimizer=OptimizerConfig(kind="lamb", lr=3e-3, weight_decay=0.05, clip=1.0),
    schedule=ScheduleConfig(decay="cosine", warmup=5 / 800, final=1 / 300, initial=1 / 3000),
    objective=ObjectiveConfig(loss="binary"),
    order=OrderConfig(repeats=3),
    augment=AugmentConfig(
        crop_scale=(0.08, 1.0), flip=True, three_augment=True, brightness=0.3, contrast=0.3, saturation=0.3
    ),
    mix=MixConfig(mixup=0.8, cutmix=1.0),
    drop=DropConfig(drop_path_rate=0.2),
)
"""The authors' command for B/16, for `deit3_base_patch16_224` at 192 pixels: LAMB, a yes or no for each class,
3-Augment, repeated augmentation. For S/16: `--image-size 224 --set lr=4e-3 model.drop.drop_path_rate=0.05`; L: 0.45;
H: 0.6. Levels are changed in one order here. Expected after 20 epochs more at 224: B 83.8, S (no more needed) 81.4, L
84.9 %. Cost of B/16: 800 · 1.28 M images · 6 · 12.8 GMACs, 79 exaFLOPs."""
