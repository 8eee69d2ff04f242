"""Training hyper-parameters as data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from vitrail.core.config import require
from vitrail.data.augment import AugmentConfig
from vitrail.data.mixing import MixConfig
from vitrail.data.order import OrderConfig
from vitrail.nn.block_config import DropConfig
from vitrail.nn.lora import LoraConfig


@dataclass(frozen=True)
class OptimizerConfig:
    """Describe the optimizer: AdamW with decoupled decay on weight matrices only, Muon for the hidden ones, SGD, LAMB.

    Args:
        kind: "adamw"; "muon" for matrices between hidden features and AdamW for everything else; "sgd" with momentum;
            "lamb" for very large batches.
        lr: peak learning rate, greater than 0.
        betas: decay of the running means of gradient and squared gradient, 0 ≤ β < 1.
        eps: added to the root of the squared gradient.
        weight_decay: decay per step ÷ learning rate, 0 or more; SGD adds it to the gradient, before the momentum.
        clip: largest global norm of the gradient; None for no limit.
        momentum: decay of the running sum of gradients of Muon or SGD, 0 ≤ momentum < 1.
        muon_scale: learning rate of Muon ÷ `lr`, greater than 0.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        AdamW: Loshchilov and Hutter 2017 (arXiv 1711.05101). Muon: Jordan et al. 2024, see `Muon`. LAMB: see `Lamb`.
    """

    kind: Literal["adamw", "muon", "sgd", "lamb"] = "adamw"
    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.05
    clip: float | None = 1.0
    momentum: float = 0.95
    muon_scale: float = 1.0

    def __post_init__(self) -> None:
        require(0 < self.lr < math.inf, "lr", self.lr, "greater than 0")
        require(all(0 <= beta < 1 for beta in self.betas), "betas", self.betas, "0 ≤ β < 1")
        require(0 <= self.eps < math.inf, "eps", self.eps, "0 or more")
        require(0 <= self.weight_decay < math.inf, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip is None or self.clip > 0, "clip", self.clip, "greater than 0, or none")
        require(0 <= self.momentum < 1, "momentum", self.momentum, "0 ≤ momentum < 1")
        require(0 < self.muon_scale < math.inf, "muon_scale", self.muon_scale, "greater than 0")


@dataclass(frozen=True)
class ScheduleConfig:
    """Describe how the learning rate moves: up linearly, then down.

    Args:
        decay: shape of the way down.
        warmup: part of all steps spent going up, 0 ≤ part < 1.
        final: learning rate at the end ÷ peak, 0 … 1.
        warmup_steps: most steps spent going up; None for no limit.
        initial: learning rate from which it goes up ÷ peak, 0 … 1.

    Raises:
        ConfigError: for a value out of its range.
    """

    decay: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.1
    final: float = 0.0
    warmup_steps: int | None = None
    initial: float = 0.0

    def __post_init__(self) -> None:
        require(0 <= self.warmup < 1, "warmup", self.warmup, "0 ≤ part < 1")
        limited = self.warmup_steps is None or self.warmup_steps >= 0
        require(limited, "warmup_steps", self.warmup_steps, "0 or more, or none")
        require(0 <= self.final <= 1, "final", self.final, "0 … 1")
        require(0 <= self.initial <= 1, "initial", self.initial, "0 … 1")


@dataclass(frozen=True)
class PartsConfig:
    """Say which parts of a model learn, and how fast; the default is all of them alike.

    Args:
        last_blocks: how many of the last blocks learn, with the final norm and the head; 0 for the head alone; None for
            everything.
        layer_decay: learning rate of a block ÷ that of the one after it, 0 < part ≤ 1; of what comes before the blocks
            ÷ that of the first block; of the last block ÷ that of the final norm and the head.
        new_head: whether the head, a tanh layer before it included, is replaced by one of zeros even for the same
            classes.
        probe_head: whether a head that starts afresh begins as the logistic regression on frozen features that was
            best on validation, rather than as zeros, which pull at good features until they know better.
        lora: which linear layers learn by thin matrices beside their frozen weights, everything but the head frozen.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        `layer_decay`: BEiT (arXiv 2106.08254) and MAE (arXiv 2111.06377), appendix A; `new_head`: Dosovitskiy et al.
        2020, section 3.2; `probe_head`: Kumar et al. 2022 (arXiv 2202.10054).
    """

    last_blocks: int | None = None
    layer_decay: float = 1.0
    new_head: bool = False
    probe_head: bool = False
    lora: LoraConfig = LoraConfig()

    def __post_init__(self) -> None:
        require(
            self.last_blocks is None or self.last_blocks >= 0, "last_blocks", self.last_blocks, "0 or more, or none"
        )
        require(0 < self.layer_decay <= 1, "layer_decay", self.layer_decay, "0 < part ≤ 1")
        alone = not self.lora.targets or (self.last_blocks is None and self.layer_decay == 1)
        require(alone, "lora.targets", self.lora.targets, '"" with last_blocks or layer_decay')

    @property
    def builds_on_weights(self) -> bool:
        """Whether something stays as it is, which makes sense for trained weights only."""
        return self.last_blocks is not None or bool(self.lora.targets)


@dataclass(frozen=True)
class ObjectiveConfig:
    """Describe what training makes small; the default is cross-entropy.

    Class weights and logit adjustment make a model judge as if classes were equally frequent. Its probabilities are
    those of such a world: on data as unequal as the training images they are wrong, and a temperature does not mend
    that.

    Args:
        loss: "softmax" for cross-entropy; "sigmoid" for a yes or no for each class, summed over classes; "binary" for
            its mean over classes, where every class that was mixed in at all is a yes.
        head_bias: what the head's bias begins with; about −ln(classes) suits "sigmoid". It is not set where trained
            weights have a head for the same classes.
        class_weights: a class weighs images ** −class_weights, 0 … 1; the mean over the training images is 1.
        logit_adjustment: logits are raised by this times the log of a class's frequency while training, 0 or more; at
            1 the balanced error is what becomes small.
        distillation: how a teacher is imitated: "hard" by the class it finds most probable, "soft" by all of its
            probabilities; "none" without a teacher. What rare classes count does not move what is imitated.
        temperature: of both models' probabilities in soft distillation, greater than 0.
        teacher_share: part of the loss that is imitation, 0 … 1; the labels have the rest.
        distillation_token: refuse a model without a token, and a head, that imitates.

    Raises:
        ConfigError: for a value out of its range.

    Source:
        "sigmoid": Beyer et al. 2020 (arXiv 2006.07159), with −6.9 and −10; "binary": Wightman et al. 2021 (arXiv
        2110.00476); `logit_adjustment`: Menon et al. 2020 (arXiv 2007.07314), equation 10; `distillation`: see
        `Distillation`.
    """

    loss: Literal["softmax", "sigmoid", "binary"] = "softmax"
    head_bias: float = 0.0
    class_weights: float = 0.0
    logit_adjustment: float = 0.0
    distillation: Literal["none", "hard", "soft"] = "none"
    temperature: float = 1.0
    teacher_share: float = 0.5
    distillation_token: bool = False

    def __post_init__(self) -> None:
        require(math.isfinite(self.head_bias), "head_bias", self.head_bias, "a finite number")
        require(0 <= self.class_weights <= 1, "class_weights", self.class_weights, "0 … 1")
        require(0 <= self.logit_adjustment < math.inf, "logit_adjustment", self.logit_adjustment, "0 or more")
        fits = self.loss == "softmax" or not self.logit_adjustment
        require(fits, "logit_adjustment", self.logit_adjustment, "0 with another loss than softmax")
        require(0 < self.temperature < math.inf, "temperature", self.temperature, "greater than 0")
        require(0 <= self.teacher_share <= 1, "teacher_share", self.teacher_share, "0 … 1")


@dataclass(frozen=True)
class Recipe:
    """Hold everything that decides how a model learns, the data and the model aside.

    Args:
        epochs: passes over the training split when neither `--epochs` nor `--minutes` is given; None: by its size.
        batch_size: images a step.
        micro_batch: images that go through the model at once; gradients of a step are accumulated. None: all.
        ema: decay of the running mean of weights that is evaluated and saved, 0 ≤ decay < 1; 0 for none.
        precision: "auto" is bfloat16 on GPUs that have it, float32 elsewhere.
        image_size: side in pixels where `--image-size` is not given; None for the model's.
        optimizer: kind, lr, betas, eps, weight_decay, clip, momentum.
        schedule: decay, warmup, final, warmup_steps, initial.
        parts: which parts of the model learn, and how fast.
        objective: what is made small: loss, head_bias, class_weights, logit_adjustment, distillation.
        order: how often an epoch shows an image: balance, repeats.
        augment: how single images are varied.
        mix: how images and labels are mixed.
        drop: dropout and stochastic depth, laid over the model's; None leaves the model's.

    Raises:
        ConfigError: for a value out of its range.
    """

    epochs: int | None = None
    batch_size: int = 64
    micro_batch: int | None = None
    ema: float = 0.0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    image_size: int | None = None
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    parts: PartsConfig = PartsConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    order: OrderConfig = OrderConfig()
    augment: AugmentConfig = AugmentConfig()
    mix: MixConfig = MixConfig()
    drop: DropConfig | None = None

    def __post_init__(self) -> None:
        require(self.epochs is None or self.epochs >= 1, "epochs", self.epochs, "1 or more")
        require(self.batch_size >= 1, "batch_size", self.batch_size, "1 or more")
        require(self.micro_batch is None or self.micro_batch >= 1, "micro_batch", self.micro_batch, "1 or more")
        require(self.image_size is None or self.image_size >= 1, "image_size", self.image_size, "1 or more, or none")
        require(0 <= self.ema < 1, "ema", self.ema, "0 ≤ decay < 1")

    @property
    def tunes(self) -> bool:
        """Whether it is made for trained weights: it tells parts of the model apart, or replaces the head."""
        return self.parts != PartsConfig()

    @property
    def balances(self) -> bool:
        """Whether rare classes count more than by their number."""
        return bool(self.order.balance or self.objective.class_weights or self.objective.logit_adjustment)
