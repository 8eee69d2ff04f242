"""Try a change of the digits recipe on images held out of the training images; the test images are never touched.

    uv run python benchmarks/tune_digits.py --seeds 30 31 32 --set mixup=0.4 --set model.depth=3

Of each seed's train and val images 20 % are held out; the rest is learned from. The last weights (running mean) are
measured. One process, one thread.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import train_test_split

from vitrail.core.override import parse_assignments
from vitrail.data.loader import TrainLoader
from vitrail.data.sources import open_dataset
from vitrail.jobs.plan import Request, make_plan
from vitrail.models import VisionTransformer
from vitrail.train.loop import TrainState, train_model


def held_out_accuracy(seed: int, epochs: int, settings: dict[str, object]) -> float:
    """Train on four fifths of the training images of a seed, and measure on the fifth."""
    dataset = open_dataset("digits", seed)
    images, labels = (
        np.concatenate([np.asarray(getattr(dataset.splits[split], field)) for split in ("train", "val")])
        for field in ("images", "labels")
    )
    kept, held = train_test_split(np.arange(len(labels)), test_size=0.2, stratify=labels, random_state=seed)
    plan, _ = make_plan(Request("digits", seed=seed, settings=settings), dataset, "cpu")
    samples = replace(dataset.splits["train"], images=images[kept], labels=labels[kept], names=[""] * len(kept))
    recipe = plan.recipe
    loader = TrainLoader(
        samples, plan.spec, recipe.augment, recipe.mix, dataset.traits, len(dataset.classes), recipe.batch_size, seed
    )
    torch.manual_seed(seed)
    state = TrainState.start(VisionTransformer(plan.model), recipe)
    for _ in train_model(state, loader, recipe, epochs * loader.steps_per_epoch, torch.device("cpu")):
        pass
    with torch.inference_mode():
        logits = state.evaluated.eval()(torch.from_numpy(plan.spec.normalise(images[held]))).numpy()
    return float((logits.argmax(axis=1) == labels[held]).mean())


def main() -> None:
    """Run all seeds and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(30, 38)))
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = parse_assignments(options.set)
    values = [held_out_accuracy(seed, options.epochs, settings) for seed in options.seeds]
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    print(json.dumps({"set": settings, "mean": statistics.mean(values), "stdev": spread, "values": values}))


if __name__ == "__main__":
    main()
