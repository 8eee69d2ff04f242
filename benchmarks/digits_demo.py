"""Repeat the demo for several seeds, and compare with SVC and 1-NN on the very same splits.

uv run python benchmarks/digits_demo.py --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from vitrail.data.sources import open_dataset


def run_demo(seed: int, folder: Path) -> tuple[float, float]:
    """Run the command as a user would; return accuracy and wall time of the whole process."""
    clock = time.perf_counter()
    command = [sys.executable, "-m", "vitrail", "demo", "--seed", str(seed), "--out", str(folder), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["top1"], time.perf_counter() - clock


def peers(seed: int) -> dict[str, float]:
    """Train the peers on train and val together, and measure them on the same test images."""
    splits = open_dataset("digits", seed).splits
    x, y = (
        np.concatenate([np.asarray(getattr(splits[name], field)) for name in ("train", "val")])
        for field in ("images", "labels")
    )
    test = splits["test"]
    scale = 16 / 255
    x, x_test = (images.reshape(len(images), -1) * scale for images in (x, np.asarray(test.images)))
    models = {"svc": SVC(gamma=0.001), "1-nn": KNeighborsClassifier(1)}
    return {name: float(model.fit(x, y).score(x_test, test.labels)) for name, model in models.items()}


def main() -> None:
    """Run all seeds and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in options.seeds:
            top1, seconds = run_demo(seed, Path(folder) / str(seed))
            rows.append({"seed": seed, "vitrail": top1, "seconds": seconds, **peers(seed)})
            print(rows[-1], file=sys.stderr)
    summary = {}
    for name in ("vitrail", "svc", "1-nn", "seconds"):
        values = [row[name] for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        summary[name] = {"mean": statistics.mean(values), "stdev": spread, "min": min(values), "max": max(values)}
    print(json.dumps({"rows": rows, "summary": summary}, indent=1))


if __name__ == "__main__":
    main()
