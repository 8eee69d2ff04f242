"""Learn Fashion-MNIST from scratch in a given time: vitrail's command, and timm's ViT of the same size beside it.

    uv run python benchmarks/fashion_mnist.py vitrail --minutes 10 --seed 1
    uv run python benchmarks/fashion_mnist.py timm --embed patch --lr 1e-3 --minutes 3 --seed 0 --split val
    uv run python benchmarks/fashion_mnist.py timm --embed stem --lr 1e-3 --minutes 10 --seed 1

`vitrail` runs `vitrail fit fashion-mnist --minutes N`, everything included. `timm` trains the peer on the same images
with the same batches, augmentation, label smoothing, running mean and clipping, with timm's AdamW, for as many steps as
fit into N minutes of training alone: reading data and measuring are not charged to it. Its class token and learned
position are timm's defaults. `--embed stem` puts our convolutional stem in front, through timm's `embed_layer`. Each
prints one JSON object. Steps are counted beforehand, from `--pace` or from the median of the first steps, so whatever
else the machine does meanwhile cannot change the result.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from typing import Any

import numpy as np
import timm
import torch
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from vitrail.core.seeding import Stream, derived_seed
from vitrail.data.loader import Batch, TrainLoader
from vitrail.data.sources import open_dataset
from vitrail.jobs.plan import Plan, Request, make_plan
from vitrail.train.ema import WeightAverage
from vitrail.train.objective import classification_loss
from vitrail.train.schedule import learning_rate

DATA = "fashion-mnist"
MEASURED_STEPS = 60


class StemEmbed(nn.Module):
    """Be timm's `embed_layer`, with the convolutional stem of vitrail's model in front."""

    def __init__(self, plan: Plan, **_: Any) -> None:
        super().__init__()
        config = plan.model
        self.stem = config.stem.build(config.in_chans, config.embed_dim, config.patch_size)
        rest = config.patch_size // self.stem.reduction
        self.proj = nn.Conv2d(self.stem.out_chans, config.embed_dim, rest, stride=rest)
        self.num_patches = config.grid[0] * config.grid[1]

    def forward(self, images: Tensor) -> Tensor:
        """Turn images into patch tokens."""
        return self.proj(self.stem(images)).flatten(2).transpose(1, 2)


def build_peer(plan: Plan, embed: str) -> nn.Module:
    """Build timm's Vision Transformer with the width, depth, heads and patches of the plan's model."""
    config = plan.model
    extra = {"embed_layer": partial(StemEmbed, plan)} if embed == "stem" else {}
    return timm.models.VisionTransformer(
        img_size=config.image_size,
        patch_size=config.patch_size,
        in_chans=config.in_chans,
        num_classes=config.num_classes,
        embed_dim=config.embed_dim,
        depth=config.depth,
        num_heads=config.block.num_heads,
        mlp_ratio=config.block.mlp_ratio,
        **extra,
    )


class Peer:
    """Train timm's model the way the recipe trains ours, but for the optimizer."""

    def __init__(self, plan: Plan, embed: str, lr: float, seed: int) -> None:
        torch.manual_seed(derived_seed(seed, Stream.INIT))
        self.recipe, self.lr = plan.recipe, lr
        self.model = build_peer(plan, embed).train()
        self.optimizer = create_optimizer_v2(self.model, opt="adamw", lr=lr, weight_decay=0.05)
        self.average = WeightAverage(self.model, plan.recipe.ema)
        self.steps = 0

    def step(self, batch: Batch, total: int) -> None:
        """Learn from one batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.recipe.schedule, self.lr, self.steps, total)
        self.optimizer.zero_grad(set_to_none=True)
        classification_loss(self.model(batch.images), batch.targets).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optimizer.clip or float("inf"))
        self.optimizer.step()
        self.average.update(self.model, self.steps)
        self.steps += 1


def measure_pace(peer: Peer, loader: TrainLoader) -> float:
    """Measure seconds a step, loading included, on a copy."""
    trial, times = copy.deepcopy(peer), []
    clock = time.perf_counter()
    for batch in loader.epoch(0):
        trial.step(batch, 10**6)
        times.append(time.perf_counter() - clock)
        clock = time.perf_counter()
        if len(times) == MEASURED_STEPS:
            break
    return statistics.median(times[5:])


def run_timm(options: argparse.Namespace) -> dict[str, Any]:
    """Train the peer, and measure it."""
    dataset = open_dataset(DATA, options.seed)
    plan, _ = make_plan(Request(DATA, seed=options.seed), dataset, "cpu")
    recipe = plan.recipe
    loader = TrainLoader(
        dataset.splits["train"], plan.spec, recipe.augment, recipe.mix, dataset.traits, len(dataset.classes),
        recipe.batch_size, options.seed,
    )  # fmt: skip
    peer = Peer(plan, options.embed, options.lr, options.seed)
    pace = options.pace or measure_pace(peer, loader)
    total = int(options.minutes * 60 / pace)
    clock = time.perf_counter()
    while peer.steps < total:
        for batch in loader.epoch(peer.steps // loader.steps_per_epoch):
            peer.step(batch, total)
            if peer.steps >= total:
                break
    seconds = time.perf_counter() - clock
    samples = dataset.splits[options.split]
    pixels = np.asarray(samples.images)
    model = peer.average.model.eval()
    with torch.inference_mode():
        parts = [model(torch.from_numpy(plan.spec.normalise(part))) for part in np.array_split(pixels, 20)]
    answers = torch.cat(parts).argmax(dim=1).numpy()
    return {
        "embed": options.embed,
        "lr": options.lr,
        "split": options.split,
        "top1": float((answers == samples.labels).mean()),
        "pace_ms": 1000 * pace,
        "steps": total,
        "epochs": total / loader.steps_per_epoch,
        "seconds": seconds,
        "parameters": sum(parameter.numel() for parameter in peer.model.parameters()),
        "timm": timm.__version__,
    }


def run_vitrail(options: argparse.Namespace) -> dict[str, Any]:
    """Run the command as a user would."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "vitrail", "fit", DATA, "--minutes", f"{options.minutes:g}"]
        command += ["--seed", str(options.seed), "--out", f"{folder}/run", "--json"]
        clock = time.perf_counter()
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        seconds = time.perf_counter() - clock
    answer = json.loads(done.stdout)
    return {name: answer[name] for name in ("top1", "interval", "ece", "steps")} | {"split": "test", "seconds": seconds}


def main() -> None:
    """Run one training and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("who", choices=("vitrail", "timm"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--embed", choices=("patch", "stem"), default="patch")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--split", choices=("val", "test"), default="test")
    parser.add_argument("--pace", type=float, help="seconds a step, measured before")
    parser.add_argument("--threads", type=int, default=1, help="of timm; vitrail chooses by itself")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    result = run_vitrail(options) if options.who == "vitrail" else run_timm(options)
    print(json.dumps({"who": options.who, "minutes": options.minutes, "seed": options.seed, **result}))


if __name__ == "__main__":
    main()
