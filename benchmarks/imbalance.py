"""Learn from classes of unequal size: plain training, and what lets rare classes count more, on Fashion-MNIST.

    uv run python benchmarks/imbalance.py --tune --seeds 50 51 52 --epochs 30
    uv run python benchmarks/imbalance.py --seeds 0 1 2 --epochs 30
    uv run python benchmarks/imbalance.py --model dinov2-small --image-size 56 --seeds 0 1 2 --epochs 5

For each seed 2,000 of the 60,000 training images are drawn, the most frequent class ten times as often as the
rarest; which class is how rare is drawn too. `exponential`: sizes fall by the same factor from class to class (490
to 49); `step`: half of the classes have a tenth of the others (364 and 36). A tenth of each class is for
validation, which chooses the epoch. The test images are 200 of each class of the official test split. Model,
recipe, seed and number of steps are the same for all settings; each is one `fit` with what `--set` would say.

`--tune` compares all of SETTINGS and never opens the test split: it measures on 200 images of each class from what
the draw left of the training split. What it prefers is CHOSEN, the default of `--settings`; seeds that are reported
are others. One JSON object is printed: balanced accuracy of each setting in percent, and its difference to plain
training seed by seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vitrail import fit
from vitrail.core.override import parse_assignments
from vitrail.data.dataset import Dataset
from vitrail.data.sources import open_dataset
from vitrail.evaluation.metrics import per_class

SETTINGS: dict[str, dict[str, float]] = {
    "plain": {},
    "balance=0.5": {"balance": 0.5},
    "balance=1": {"balance": 1.0},
    "class_weights=0.5": {"class_weights": 0.5},
    "class_weights=1": {"class_weights": 1.0},
    "logit_adjustment=0.5": {"logit_adjustment": 0.5},
    "logit_adjustment=1": {"logit_adjustment": 1.0},
}
CHOSEN = "balance=1"
BAR = 2.0
"""Points of balanced accuracy above plain training."""
RARE = 5
"""So many of the rarest classes are also averaged by themselves."""


def class_sizes(profile: str, total: int, ratio: float, classes: int) -> npt.NDArray[np.int64]:
    """Give the size of each class, the most frequent first."""
    places = np.arange(classes)
    fall = places / (classes - 1) if profile == "exponential" else (places >= classes / 2).astype(float)
    shares = ratio**-fall
    sizes = np.rint(total * shares / shares.sum()).astype(np.int64)
    sizes[0] += total - sizes.sum()
    return sizes


def draw(whole: Dataset, seed: int, sizes: npt.NDArray[np.int64], test: int, tune: bool) -> Dataset:
    """Draw the splits of one seed; each draw has its own permutation of the classes."""
    generator, of_test = np.random.default_rng(seed), np.random.default_rng((seed, 1))
    source = whole.splits["train"]
    rows: dict[str, list[npt.NDArray[np.int64]]] = {"train": [], "val": [], "test": []}
    for code, size in zip(generator.permutation(len(whole.classes)), sizes, strict=True):
        order = generator.permutation(np.flatnonzero(source.labels == code))
        held = max(1, size // 10)
        rows["val"].append(order[:held])
        rows["train"].append(order[held:size])
        if not tune:
            order, size = of_test.permutation(np.flatnonzero(whole.splits["test"].labels == code)), 0
        rows["test"].append(order[size : size + test // len(whole.classes)])
    origin = {"train": source, "val": source, "test": source if tune else whole.splits["test"]}
    splits = {name: origin[name].take(np.sort(np.concatenate(parts))) for name, parts in rows.items()}
    return Dataset(whole.reference, whole.classes, splits, whole.traits)


def learn(dataset: Dataset, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Train with one setting, and measure."""
    with tempfile.TemporaryDirectory() as folder:
        run = fit(
            dataset, options.model, options.recipe, out=Path(folder) / "run", seed=seed, epochs=options.epochs,
            image_size=options.image_size, device=options.device,
            settings={**parse_assignments(options.set), **SETTINGS[name]},
        )  # fmt: skip
    recall = per_class(run.evaluation.confusion)[0]
    rarest = np.argsort(np.bincount(dataset.splits["train"].labels, minlength=len(dataset.classes)), kind="stable")
    return {
        "seed": seed,
        "setting": name,
        "balanced": 100 * run.evaluation.metrics["balanced_accuracy"],
        "rare": 100 * float(recall[rarest[:RARE]].mean()),
        "ece": 100 * run.evaluation.metrics["ece"],
        "n": run.evaluation.metrics["n"],
        "steps": run.plan.steps,
        "seconds": run.seconds,
    }


def summary(values: Iterable[float]) -> dict[str, float]:
    """Give the mean and the standard deviation over seeds."""
    found = list(values)
    return {"mean": statistics.mean(found), "stdev": statistics.stdev(found) if len(found) > 1 else 0.0}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare the settings, seed by seed."""
    names = list(dict.fromkeys(row["setting"] for row in rows))
    of = {name: {row["seed"]: row for row in rows if row["setting"] == name} for name in names}
    differences = {
        name: {str(seed): row["balanced"] - of["plain"][seed]["balanced"] for seed, row in of[name].items()}
        for name in names
        if name != "plain"
    }
    return {
        "points": {
            name: {what: summary(row[what] for row in of[name].values()) for what in ("balanced", "rare", "ece")}
            for name in names
        },
        "differences": {name: summary(seeds.values()) | {"seeds": seeds} for name, seeds in differences.items()},
        "bar": BAR,
        "best": max(names, key=lambda name: statistics.mean(row["balanced"] for row in of[name].values())),
        "same_steps": all(len({of[name][seed]["steps"] for name in names}) == 1 for seed in of["plain"]),
        "rows": rows,
    }


def main() -> None:
    """Train with every setting on every seed and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="compare all settings on images held out of training")
    parser.add_argument(
        "--settings", nargs="+", choices=SETTINGS, help="beside plain (default: CHOSEN, or all to tune)"
    )
    parser.add_argument("--model", help="variant, file or folder to start from (default: what fit chooses)")
    parser.add_argument("--recipe")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--profile", choices=("exponential", "step"), default="exponential")
    parser.add_argument("--ratio", type=float, default=10.0, help="the most frequent class to the rarest (default: 10)")
    parser.add_argument("--train", type=int, default=2000, help="training images, validation included")
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="for every setting alike")
    parser.add_argument("--device")
    options = parser.parse_args()
    whole = open_dataset("fashion-mnist")
    sizes = class_sizes(options.profile, options.train, options.ratio, len(whole.classes))
    names = dict.fromkeys(["plain", *(options.settings or (SETTINGS if options.tune else [CHOSEN]))])
    rows = []
    for seed in options.seeds:
        dataset = draw(whole, seed, sizes, options.test, options.tune)
        for name in names:
            rows.append(learn(dataset, name, seed, options))
            print(json.dumps(rows[-1]), file=sys.stderr)
    given = {name: getattr(options, name) for name in ("model", "recipe", "image_size", "epochs", "profile", "set")}
    head = {"n": len(options.seeds), "measured_on": "held-out training images" if options.tune else "test", **given}
    print(json.dumps(head | {"sizes": sizes.tolist()} | summarise(rows), indent=1))


if __name__ == "__main__":
    main()
