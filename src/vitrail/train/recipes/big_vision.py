"""From scratch on ImageNet as in google-research/big_vision: AugReg, and better plain ViT baselines.

Sources: Steiner et al. 2021, "How to train your ViT?" (arXiv 2106.10270), `configs/vit_i1k.py`; Beyer et al. 2022
(arXiv 2205.01580), `configs/vit_s16_i1k.py`. Adam's decoupled decay of 1e-4 a step at the peak is 0.1 of the rate
here, on matrices and kernels alone. Where we differ: Adam's running mean is float32, there bfloat16; mixup draws a
weight for each image, there for each batch; geometry is one bilinear resampling before the changes of colour, and what
moves in is a reflection, where RandAugment there resamples in the order drawn, to the nearest pixel, and fills with
grey. The authors resize bilinearly and judge on crops of 0.875 (`--set interpolation=bilinear crop_fraction=0.875`).
"""

from __future__ import annotations

from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig
from vitrail.data.randaugment import RandAugmentConfig
from vitrail.nn.block_config import DropConfig
from vitrail.train.recipe import ObjectiveConfig, OptimizerConfig, Recipe, ScheduleConfig

LEVELS: dict[str, tuple[int, float, float]] = {
    "none": (0, 0, 0.0),
    "light1": (2, 0, 0.0),
    "light2": (2, 10, 0.2),
    "medium1": (2, 15, 0.2),
    "medium2": (2, 15, 0.5),
    "strong1": (2, 20, 0.5),
    "strong2": (2, 20, 0.8),
}
"""Level → operations and magnitude of RandAugment, α of mixup. "light1" varies a little: see `SCALES`."""

_OPTIMIZER = OptimizerConfig(lr=1e-3, betas=(0.9, 0.999), weight_decay=0.1, clip=1.0)
_SCHEDULE = ScheduleConfig(decay="cosine", warmup=0.2, warmup_steps=10_000)


def _varied(operations: int, magnitude: float) -> AugmentConfig:
    rand = RandAugmentConfig("big_vision", operations, magnitude)
    return AugmentConfig(crop_scale=(0.05, 1.0), flip=True, rand=rand)


def augreg(level: str) -> Recipe:
    """Write AugReg's recipe at a level of augmentation.

    Args:
        level: row of `LEVELS`.

    Returns:
        The recipe for ImageNet, without regularisation.
    """
    operations, magnitude, mixup = LEVELS[level]
    return Recipe(
        epochs=300,
        batch_size=4096,
        image_size=224,
        optimizer=_OPTIMIZER,
        schedule=_SCHEDULE,
        objective=ObjectiveConfig(loss="sigmoid", head_bias=-6.9),
        augment=_varied(operations, magnitude),
        mix=MixConfig(mixup=mixup),
        drop=DropConfig(),
    )


AUGREG = augreg("medium2")
"""ImageNet, at the level that the authors take for B/16; the others are `augreg_none` to `augreg_strong2`. The best
for 300 epochs of ImageNet: Ti/16 light1; S/32 medium1; S/16, B/32, B/16, L/16 medium2. For ImageNet-21k (`--set
head_bias=-10`): Ti/16 and S/32 none, S/16 light1, B/32 and B/16 light2, L/16 medium2. Models: `--model B/16 --set
representation_size=768`, the tanh layer of the authors' config; its class token has no position
(`position.covers=patches`). The paper also tries `weight_decay=0.03`, and `model.drop.drop_rate=0.1
model.drop.drop_path_rate=0.1`, which helps B and L on ImageNet. Warm-up ends after a fifth of a training that is
shorter than 50,000 steps. Expected: weights published as `augreg_in1k` have S/16 78.8, B/32 74.9, B/16 79.2 %. Cost of
B/16: 6 · 17.56 GMACs · 384 M images, 40 exaFLOPs."""

BETTER_PLAIN_S16 = Recipe(
    epochs=90,
    batch_size=1024,
    image_size=224,
    optimizer=_OPTIMIZER,
    schedule=_SCHEDULE,
    augment=_varied(2, 10),
    mix=MixConfig(mixup=0.2),
    drop=DropConfig(),
)
"""ImageNet, for `vit_small_patch16_baseline_tanh_224`: the mean of patches, fixed sines and cosines, a tanh layer
before a zero head, 22,122,472 numbers. No dropout, running mean, cutmix or smoothing. Expected: 76.5 % after 90
epochs, 78.5 after 150, 80.0 after 300 (`--epochs 300`); with a linear head (`vit_small_patch16_baseline_224`) 76.7,
78.6, 79.8. Cost of 90 epochs: 6 · 4.6 GMACs · 115 M images, 3.2 exaFLOPs; 6 h 30 min on a TPU v3-8 there."""
