"""From trained weights to a task of one's own. Cost: 6 · MACs an image for everything, about 2 for frozen parts."""

from __future__ import annotations

from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig
from vitrail.nn.lora import LoraConfig
from vitrail.train.recipe import OptimizerConfig, PartsConfig, Recipe, ScheduleConfig

_GENTLE = AugmentConfig(crop_scale=(0.6, 1.0), flip=True)
_IN_BLOCKS = r"blocks\..*\.(qkv|proj|fc1|fc2)"

FINETUNE = Recipe(
    batch_size=32,
    ema=0.99,
    optimizer=OptimizerConfig(lr=1e-4, weight_decay=0.05),
    schedule=ScheduleConfig(warmup=0.1),
    parts=PartsConfig(layer_decay=0.75, probe_head=True),
    augment=_GENTLE,
    mix=MixConfig(label_smoothing=0.1),
)
"""All of the model, the deeper the faster: layer-wise decay, warm-up and a running mean after BEiT (arXiv 2106.08254)
and MAE (arXiv 2111.06377, table 9), with a rate, batch and variation of our own for hundreds to thousands of images;
the head begins as the linear probe (arXiv 2202.10054). Expected: no published figure, for it is ours. Cost: an epoch is
three forward passes."""

LINEAR = Recipe(
    batch_size=32,
    optimizer=OptimizerConfig(lr=1e-2, weight_decay=0.0, clip=None),
    schedule=ScheduleConfig(warmup=0.1),
    parts=PartsConfig(last_blocks=0),
    augment=_GENTLE,
)
"""The head alone, on a frozen model that sees varied images. Expected: about the linear figures of the model's
authors, 84.5 % for DINOv2 B/14 on ImageNet. Cost: an epoch is one forward pass; nothing goes backward through the
model."""

LAST_K_BLOCKS = Recipe(
    batch_size=32,
    optimizer=OptimizerConfig(lr=3e-4, weight_decay=0.05),
    schedule=ScheduleConfig(warmup=0.1),
    parts=PartsConfig(last_blocks=4, probe_head=True),
    augment=_GENTLE,
    mix=MixConfig(label_smoothing=0.1),
)
"""The last four blocks (`last_blocks`), final norm and head; partial fine-tuning as in MAE (arXiv 2111.06377), figure
9: on ImageNet, 73.5 % for the head alone, 81.0 % with one block of ViT-L, close to everything with four to six. Cost
at depth 12: a forward pass, and two thirds more."""

LORA = Recipe(
    batch_size=32,
    optimizer=OptimizerConfig(lr=1e-3, weight_decay=0.0),
    schedule=ScheduleConfig(warmup=0.1),
    parts=PartsConfig(lora=LoraConfig(_IN_BLOCKS), probe_head=True),
    augment=_GENTLE,
    mix=MixConfig(label_smoothing=0.1),
)
"""Thin matrices of rank 8 beside every linear layer of the blocks, and the head: Hu et al. 2021 (arXiv 2106.09685),
which adapts queries and values of language models. Expected: no published figure for images there. Cost: two forward
passes, and memory for the state of about 1 % of the weights."""

PAPER_FINETUNE = Recipe(
    batch_size=512,
    image_size=384,
    optimizer=OptimizerConfig(kind="sgd", lr=0.03, momentum=0.9, weight_decay=0.0, clip=1.0),
    schedule=ScheduleConfig(decay="cosine", warmup=0.2, warmup_steps=500),
    parts=PartsConfig(new_head=True),
    augment=AugmentConfig(crop_scale=(0.05, 1.0), flip=True),
)
"""Dosovitskiy et al. 2020, table 4 and appendix B.1.1: momentum 0.9, batch 512, cosine, no decay, clip 1, 384 pixels,
one zero head. Rates tried there: 0.001 … 0.03, on ImageNet 0.003 … 0.06. Steps: ImageNet 20,000, CIFAR 10,000, Pets
and Flowers 500 (`--set steps=500`). Warm-up of 500 steps, 100 of 500, as in the published code. The momentum is
float32 here, bfloat16 there; validation crops as the weights' own spec says, where the paper squashes. Expected
(table 5, ImageNet-21k): B/16 ImageNet 83.97, CIFAR-100 91.67, Pets 94.43. Cost: 20,000 steps of B/16 at 384 are 6 ·
55.5 GMACs · 10.2 M images, 3.4 exaFLOPs."""
