"""Probe pretrained features on Fashion-MNIST: vitrail's commands, and transformers with scikit-learn beside them.

    uv run python benchmarks/probes.py --model dinov2-small --seeds 0 1 2

For each seed 2,000 training and 2,000 test images are drawn, the same number of each class; 200 of the first are for
validation. They are written as PNG into class folders, which both sides read. `vitrail` is three commands with an empty
cache, one after another:

    vitrail evaluate MODEL FOLDER --image-size 112 --probe knn|least-squares|linear

`peer` is one process: transformers' Dinov2Model and image processor at the same size, then scikit-learn's
KNeighborsClassifier (cosine), RidgeClassifier and LogisticRegression on standardised features, each with what
regularises it chosen on the validation images and then fitted to training and validation images together. Times are of
whole processes, imports included; which side comes first alternates. One JSON object is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PROBES = ("knn", "least-squares", "linear")
BATCH = 64


def write_images(folder: Path, seed: int, train: int, test: int) -> None:
    """Write a draw of Fashion-MNIST as PNG files into `train/`, `val/` and `test/` with a folder for each class."""
    from PIL import Image

    from vitrail.data.sources import open_dataset

    dataset = open_dataset("fashion-mnist")
    generator = np.random.default_rng(seed)
    counts = {"train": (train - train // 10, "train"), "val": (train // 10, "train"), "test": (test, "test")}
    for name, source in (("train", "train"), ("test", "test")):
        samples = dataset.splits[source]
        for code in range(len(dataset.classes)):
            order = generator.permutation(np.flatnonzero(samples.labels == code))
            start = 0
            for split in [one for one, (_, origin) in counts.items() if origin == name]:
                number = counts[split][0] // len(dataset.classes)
                place = folder / split / f"{code}"
                place.mkdir(parents=True)
                for index in order[start : start + number]:
                    Image.fromarray(np.asarray(samples.image(int(index)))[..., 0]).save(place / f"{index:05d}.png")
                start += number


def run_peer(model: str, folder: Path, size: int) -> dict[str, float]:
    """Probe with transformers and scikit-learn."""
    import torch
    from PIL import Image
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from transformers import BitImageProcessor, Dinov2Model

    network = Dinov2Model.from_pretrained(model).eval()
    processor = BitImageProcessor(
        size={"shortest_edge": round(size / 0.875)}, crop_size={"height": size, "width": size}, resample=3,
        image_mean=(0.485, 0.456, 0.406), image_std=(0.229, 0.224, 0.225),
    )  # fmt: skip
    x, y = {}, {}
    for split in ("train", "val", "test"):
        paths = sorted((folder / split).rglob("*.png"))
        y[split] = np.array([int(path.parent.name) for path in paths])
        rows = []
        with torch.inference_mode():
            for start in range(0, len(paths), BATCH):
                images = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
                pixels = processor(images, return_tensors="pt")["pixel_values"]
                rows.append(network(pixels).pooler_output.numpy())
        x[split] = np.concatenate(rows)
    x["both"], y["both"] = (np.concatenate([part["train"], part["val"]]) for part in (x, y))
    candidates: dict[str, tuple[Callable[[float], Any], list[float]]] = {
        "knn": (
            lambda k: KNeighborsClassifier(int(k), metric="cosine"),
            [k for k in (1, 3, 5, 10, 20, 50, 100, 200) if k <= len(y["train"])],
        ),
        "least-squares": (
            lambda alpha: make_pipeline(StandardScaler(), RidgeClassifier(alpha)),
            list(np.logspace(-2, 5, 15)),
        ),
        "linear": (
            lambda c: make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)),
            list(np.logspace(-4, 2, 13)),
        ),
    }
    found = {}
    for name, (build, values) in candidates.items():
        scores = [build(value).fit(x["train"], y["train"]).score(x["val"], y["val"]) for value in values]
        best = build(values[int(np.argmax(scores))]).fit(x["both"], y["both"])
        found[name] = float(best.score(x["test"], y["test"]))
    return found


def run_vitrail(model: str, folder: Path, size: int) -> dict[str, float]:
    """Run the three commands with an empty cache."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for probe in PROBES:
            command = [sys.executable, "-m", "vitrail", "evaluate", model, str(folder), "--image-size", str(size)]
            done = subprocess.run(
                [*command, "--probe", probe, "--json", "--device", "cpu"],
                check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "VITRAIL_CACHE": cache},
            )  # fmt: skip
            found[probe] = float(json.loads(done.stdout)["top1"])
    return found


def in_a_process(side: str, model: str, folder: Path, size: int) -> tuple[dict[str, float], float]:
    """Run one side in a process of its own, and measure its time."""
    clock = time.perf_counter()
    command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--model", model, "--size", str(size)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout), time.perf_counter() - clock


def main() -> None:
    """Compare the two sides and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="folder of DINOv2 weights as transformers writes them")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", type=int, default=2000, help="training images, validation included")
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--side", choices=("vitrail", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        run = run_vitrail if options.side == "vitrail" else run_peer
        print(json.dumps(run(options.model, options.folder, options.size)))
        return
    rows = []
    for number, seed in enumerate(options.seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_images(folder, seed, options.train, options.test)
            row: dict[str, Any] = {"seed": seed}
            for side in sorted(("vitrail", "peer"), reverse=bool(number % 2)):
                row[side], row[f"{side}_seconds"] = in_a_process(side, options.model, folder, options.size)
        rows.append(row)
        print(json.dumps(row), file=sys.stderr)
    summary = {
        probe: {
            side: {"mean": statistics.mean(values), "spread": max(values) - min(values)}
            for side in ("vitrail", "peer")
            for values in [[100 * row[side][probe] for row in rows]]
        }
        for probe in PROBES
    }
    ratios = [row["vitrail_seconds"] / row["peer_seconds"] for row in rows]
    answer = {
        "n": len(rows),
        "points": summary,
        "time_ratio": statistics.median(ratios),
        "ratios": ratios,
        "rows": rows,
    }
    print(json.dumps(answer, indent=1))


if __name__ == "__main__":
    main()
