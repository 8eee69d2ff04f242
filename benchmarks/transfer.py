"""Tune pretrained weights on Fashion-MNIST: against the best probe of the same weights, and at a higher resolution.

    uv run python benchmarks/transfer.py --model dinov2-small --seeds 0 1 2 --work work --rows rows.jsonl
    uv run python benchmarks/transfer.py --model dinov2-small --seeds 0 1 2 --work work --rows rows.jsonl --larger 224

The images are those of `probes.py`: for each seed 1,800 for training, 200 for validation and 2,000 for the test,
written as PNG into class folders. For each seed and recipe

    vitrail fit FOLDER --model MODEL --image-size 112 --recipe finetune|lora --epochs 5 --seed SEED

whichever is better on validation counts; it is compared with the best of three probes *on the test images*, which
favours the probes. `--larger` goes on from the run that counted, at that size, and once more at 112 pixels for the
same number of epochs, so that more training is not taken for more resolution. Every figure is appended to `--rows` as
soon as it is known, and not measured again; the summary printed at the end is of all that is there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from probes import PROBES, write_images

RECIPES = ("finetune", "lora")


def vitrail(*arguments: object) -> dict[str, Any]:
    """Run one command, and give what it printed as JSON."""
    command = [sys.executable, "-m", "vitrail", *map(str, arguments), "--json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


class Rows:
    """Hold figures by seed and name in a file, each written once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.known = {(row["seed"], row["name"]): row for row in map(json.loads, lines)}

    def measure(self, seed: int, name: str, *arguments: object) -> dict[str, Any]:
        """Run a command unless its figures are known."""
        if (seed, name) not in self.known:
            clock = time.perf_counter()
            answer = vitrail(*arguments)
            val = answer["chosen"]["val_top1"] if "chosen" in answer else answer["baseline"]["tuned"]
            row = {"seed": seed, "name": name, "top1": answer["top1"], "n": answer["n"], "val": val}
            self.known[seed, name] = {**row, "seconds": time.perf_counter() - clock}
            with self.path.open("a") as file:
                print(json.dumps(self.known[seed, name]), file=file)
        return self.known[seed, name]


def measure_seed(rows: Rows, seed: int, options: argparse.Namespace) -> dict[str, float]:
    """Measure everything for one draw; give test accuracies in percent by name."""
    work = options.work / str(seed)
    if not (work / "data").exists():
        write_images(work / "data", seed, options.train, options.test)
    data, size, settings = work / "data", options.size, ["--set", *options.set] if options.set else []
    probes = [
        rows.measure(seed, probe, "evaluate", options.model, data, "--image-size", size, "--probe", probe)
        for probe in PROBES
    ]
    shared = ("--seed", seed, "--overwrite", *settings)
    tuned = {
        recipe: rows.measure(
            seed, recipe, "fit", data, "--model", options.model, "--image-size", size, "--recipe", recipe,
            "--epochs", options.epochs, "--out", work / recipe, *shared,
        )
        for recipe in options.recipes
    }  # fmt: skip
    chosen = max(tuned, key=lambda recipe: tuned[recipe]["val"])
    found = {"best probe": max(row["top1"] for row in probes), "tuned": tuned[chosen]["top1"]}
    for side in (options.larger, size) if options.larger else ():
        again = ("--model", work / chosen, "--image-size", side, "--recipe", "finetune")
        length = ("--epochs", options.larger_epochs, "--out", work / f"then{side}")
        found[f"then {side}"] = rows.measure(seed, f"then {side}", "fit", data, *again, *length, *shared)["top1"]
    return {name: 100 * value for name, value in found.items()}


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="pretrained weights")
    parser.add_argument("--rows", type=Path, required=True, help="file of figures, one JSON object a line")
    parser.add_argument("--work", type=Path, required=True, help="folder for images and runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--train", type=int, default=2000, help="training images, validation included")
    parser.add_argument("--test", type=int, default=2000)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--set", nargs="+", default=[], help="settings of every fit")
    parser.add_argument("--larger", type=int, help="side in pixels to go on at")
    parser.add_argument("--larger-epochs", type=int, default=1)
    options = parser.parse_args()
    rows = Rows(options.rows)
    found = {seed: measure_seed(rows, seed, options) for seed in options.seeds}
    columns = {name: [one[name] for one in found.values()] for name in next(iter(found.values()))}
    gains = {
        f"{name} - tuned" if name.startswith("then") else "tuned - best probe": [
            after - before
            for after, before in zip(
                columns[name], columns["tuned" if name.startswith("then") else "best probe"], strict=True
            )
        ]
        for name in columns
        if name != "best probe"
    }
    summary = {
        name: {"mean": statistics.mean(values), "lowest": min(values), "highest": max(values)}
        for name, values in {**columns, **gains}.items()
    }
    print(json.dumps({"n": len(found), "points": summary, "rows": list(rows.known.values())}, indent=1))


if __name__ == "__main__":
    main()
