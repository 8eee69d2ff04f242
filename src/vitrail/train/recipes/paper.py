"""From scratch as in "An Image is Worth 16x16 Words": Dosovitskiy et al. 2020 (arXiv 2010.11929), table 3.

Weight decay is decoupled and multiplies the learning rate, on matrices and kernels alone, as in the published code.
Training is at 224 pixels with random crops of 5 to 100 % of the area, mirrored; the head is that of the model asked
for, and the paper's has one hidden layer (a variant with `pre_logits`, such as `vit_base_patch16_224_in21k`).
"""

from __future__ import annotations

from vitrail.data.augment import AugmentConfig
from vitrail.nn.block_config import DropConfig
from vitrail.train.recipe import OptimizerConfig, Recipe, ScheduleConfig

_CROP = AugmentConfig(crop_scale=(0.05, 1.0), flip=True)

PAPER_I1K = Recipe(
    epochs=300,
    batch_size=4096,
    image_size=224,
    optimizer=OptimizerConfig(lr=3e-3, betas=(0.9, 0.999), weight_decay=0.3, clip=1.0),
    schedule=ScheduleConfig(decay="cosine", warmup=0.2, warmup_steps=10_000),
    augment=_CROP,
    drop=DropConfig(drop_rate=0.1),
)
"""ImageNet. Expected: B/16 77.91 % after `paper_finetune` (table 5). Cost of B/16: 6 · 17.56 GMACs · 384 M images, 40
exaFLOPs. Warm-up ends after a fifth of a training that is shorter than 50,000 steps."""

PAPER_I21K = Recipe(
    epochs=90,
    batch_size=4096,
    image_size=224,
    optimizer=OptimizerConfig(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.03, clip=None),
    schedule=ScheduleConfig(decay="linear", warmup=0.2, warmup_steps=10_000, final=0.01),
    augment=_CROP,
    drop=DropConfig(drop_rate=0.1),
)
"""ImageNet-21k. The rate falls linearly to 1e-5, as in the published code. Expected, after `paper_finetune`: B/16
83.97 % on ImageNet, 91.67 % on CIFAR-100 (table 5). Cost of B/16: 6 · 17.56 GMACs · 90 · 14.2 M images, 135
exaFLOPs."""
