"""Hold a model to its probabilities: calibration error and promised error rates on Fashion-MNIST's test images.

    uv run python benchmarks/calibration.py --minutes 10 --seeds 0 1 2
    uv run python benchmarks/calibration.py --runs runs/one runs/two

Each seed trains by `vitrail fit fashion-mnist --minutes M --seed S`, or runs that were trained so are taken. The
temperature and every threshold come from the 6,000 validation images of the run; the 10,000 official test images
are looked at once, after that. ECE has 15 bins of equal width. For each promised error rate: the threshold, the
part of the test images that is answered, the error rate among these with its 95 % Wilson interval, whether it is
below the promise (`below`), and whether the promise is not below the interval (`kept`). A rate that validation
cannot promise is null. One JSON object is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vitrail.core.errors import ConfigError
from vitrail.evaluation.metrics import softmax
from vitrail.jobs.evaluate import evaluate
from vitrail.jobs.predictor import load
from vitrail.jobs.selective import selective_figures

DATA = "fashion-mnist"
RATES = (0.01, 0.02, 0.05)
ECE_BAR = 0.02


def train(folder: Path, minutes: float, seed: int) -> Path:
    """Run the command as a user would."""
    run = folder / f"seed-{seed}"
    command = [sys.executable, "-m", "vitrail", "fit", DATA, "--minutes", f"{minutes:g}", "--seed", str(seed)]
    subprocess.run([*command, "--out", str(run), "--json"], check=True, stdout=subprocess.DEVNULL)
    return run


def measure(run: Path, rates: Iterable[float]) -> dict[str, Any]:
    """Measure one run on the test images."""
    predictor = load(run)
    evaluation = evaluate(predictor, DATA)
    record, outputs, metrics = predictor.record, evaluation.outputs, evaluation.metrics
    probabilities = softmax(outputs.logits / np.float32(record.temperature))
    promises: dict[str, Any] = {}
    for rate in rates:
        try:
            figures = selective_figures(record, rate, probabilities, outputs.labels)
        except ConfigError:
            promises[f"{rate:g}"] = None
            continue
        names = ("threshold", "coverage", "answered", "error", "interval")
        promises[f"{rate:g}"] = {name: figures[name] for name in names} | {
            "below": figures["error"] <= rate,
            "kept": figures["interval"][0] <= rate,
        }
    return {
        "run": run.name,
        "seed": record.training.get("seed"),
        "n": metrics["n"],
        "validation_n": record.risk[-1][1] if record.risk else None,
        "top1": metrics["top1"],
        "temperature": record.temperature,
        "ece_before": metrics["ece_before"],
        "ece_after": metrics["ece"],
        "promises": promises,
    }


def summary(values: Iterable[float]) -> dict[str, float] | None:
    """Give the mean and the standard deviation over runs."""
    found = list(values)
    if not found:
        return None
    return {"mean": statistics.mean(found), "stdev": statistics.stdev(found) if len(found) > 1 else 0.0}


def summarise(rows: list[dict[str, Any]], rates: Iterable[float]) -> dict[str, Any]:
    """Bring the runs together."""
    promises = {}
    for rate in (f"{one:g}" for one in rates):
        made = [row["promises"][rate] for row in rows if row["promises"][rate]]
        promises[rate] = {
            "made": len(made),
            "below": sum(one["below"] for one in made),
            "kept": sum(one["kept"] for one in made),
            "coverage": summary(one["coverage"] for one in made),
            "error": summary(one["error"] for one in made),
        }
    return {
        "n": len(rows),
        "seeds": [row["seed"] for row in rows],
        "top1": summary(row["top1"] for row in rows),
        "ece_before": summary(row["ece_before"] for row in rows),
        "ece_after": summary(row["ece_after"] for row in rows),
        "ece_bar": ECE_BAR,
        "ece_met": sum(row["ece_after"] <= ECE_BAR for row in rows),
        "promises": promises,
        "rows": rows,
    }


def main() -> None:
    """Measure all runs and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, nargs="+", help="runs on Fashion-MNIST, instead of training")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--keep", type=Path, help="folder for the runs that are trained (default: a temporary one)")
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        for one in options.runs or options.seeds:
            run = one if options.runs else train(folder, options.minutes, one)
            rows.append(measure(run, options.rates))
            print(json.dumps(rows[-1]), file=sys.stderr)
    minutes = {} if options.runs else {"minutes": options.minutes}
    print(json.dumps(minutes | summarise(rows, options.rates), indent=1))


if __name__ == "__main__":
    main()
