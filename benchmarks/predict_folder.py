"""Measure `vitrail predict` on a folder of small files against the model's own speed, and its memory.

    uv run python benchmarks/predict_folder.py --rounds 3

The files are Fashion-MNIST's test images, half PNG, half JPEG; the models have random weights. A round is a fresh
process that predicts few files, one that predicts many, and one that runs the model over ready tensors, at the batch
size that is the fastest for it; the order alternates. All use the process's default of threads, which OMP_NUM_THREADS
sets. Speed without start-up is (many − few files) / (difference of wall times). `processor_ratio` is the same of the
processor's time, all threads together: what is added to the model's own work, also on a machine that is not idle.
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
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import vitrail
from vitrail.data.sources import open_dataset
from vitrail.weights.model_file import ModelRecord, save_model

MODELS = {"micro": ("vit_micro_conv_patch4_28", 28, "L"), "tiny": ("Ti/16", 96, "RGB")}
PROGRAM = """
import sys, time
from vitrail.cli.main import main
status = main(sys.argv[1:])
with open("/proc/self/status") as file:
    print(next(line for line in file if line.startswith("VmHWM")).split()[1], time.process_time())
sys.exit(status)
"""
"""The command, and then its peak of resident memory in kB (what `wait4` says would include the parent's), and the
processor's time in seconds."""

BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def write_files(folder: Path, few: int, many: int) -> tuple[Path, Path]:
    """Write a folder of a few and one of many images."""
    images = open_dataset("fashion-mnist").splits["test"].images
    places = folder / "few", folder / "many"
    for place, count in zip(places, (few, many), strict=True):
        place.mkdir()
        for number in range(count):
            image = Image.fromarray(np.asarray(images[number % len(images)]).squeeze())
            image.save(place / f"{number:06d}.{('png', 'jpg')[number % 2]}")
    return places


def write_model(folder: Path, kind: str) -> Path:
    """Write a model file with random weights."""
    variant, size, color = MODELS[kind]
    channels = 1 if color == "L" else 3
    torch.manual_seed(0)
    model = vitrail.create_model(variant, img_size=size, in_chans=channels, num_classes=10)
    half = (0.5,) * channels
    spec = vitrail.ImageSpec((size, size), half, half, color=color)
    path = folder / f"{kind}.safetensors"
    save_model(path, model, ModelRecord(model.config, tuple(map(str, range(10))), spec))
    return path


def predict(model: Path, images: Path) -> tuple[float, float, float]:
    """Run the command as a user would; return wall time, time of the processor, and peak memory in MB."""
    out = images.with_suffix(".csv")
    command = [sys.executable, "-c", PROGRAM, "predict", str(model), str(images), "--out", str(out), "--device", "cpu"]
    clock = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - clock
    with out.open(encoding="utf-8") as file:
        assert sum(1 for _ in file) == 1 + len(os.listdir(images))
    out.unlink()
    peak, processor = done.stdout.split()
    return seconds, float(processor), int(peak) / 1024


def own_speed(model: Path, seconds: float) -> dict[int, tuple[float, float]]:
    """Measure the model alone in this process: batch size → images a second, and a second of the processor."""
    network = vitrail.load(model, "cpu").model
    config = network.config
    speeds = {}
    with torch.inference_mode():
        for batch in BATCHES:
            images = torch.randn(batch, config.in_chans, *config.image_size)
            network(images)
            count, clock, processor = 0, time.perf_counter(), time.process_time()
            while time.perf_counter() - clock < seconds / len(BATCHES):
                network(images)
                count += batch
            wall = time.perf_counter() - clock
            speeds[batch] = count / wall, count / (time.process_time() - processor)
    return speeds


def own_speed_apart(model: Path, seconds: float) -> dict[str, list[float]]:
    """Measure the model alone in a fresh process."""
    command = [sys.executable, __file__, "--own-speed-of", str(model), "--seconds", str(seconds)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(kind: str, folder: Path, few: Path, many: Path, options: argparse.Namespace) -> dict[str, object]:
    """Run all rounds of one model."""
    model = write_model(folder, kind)
    difference = options.many - options.few
    rows = []
    for number in range(options.rounds):
        jobs = {
            "few": lambda: predict(model, few),
            "many": lambda: predict(model, many),
            "own": lambda: own_speed_apart(model, options.seconds),
        }
        found = {name: jobs[name]() for name in (reversed(jobs) if number % 2 else jobs)}
        (few_wall, few_processor, few_mb), (many_wall, many_processor, many_mb) = found["few"], found["many"]
        best = max(found["own"], key=found["own"].get)
        own, own_processor = found["own"][best]
        speed = difference / (many_wall - few_wall)
        rows.append(
            {
                "images_per_second": speed,
                "images_per_second_with_start": options.many / many_wall,
                "own_images_per_second": own,
                "own_batch": int(best),
                "ratio": speed / own,
                "processor_ratio": difference / (many_processor - few_processor) / own_processor,
                "peak_mb": {str(options.few): few_mb, str(options.many): many_mb},
            }
        )
        print(kind, rows[-1], file=sys.stderr)
    ratios = [row["ratio"] for row in rows]
    growth = [row["peak_mb"][str(options.many)] - row["peak_mb"][str(options.few)] for row in rows]
    return {
        "variant": MODELS[kind][0],
        "image_size": MODELS[kind][1],
        "ratio_median": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "processor_ratio_median": statistics.median(row["processor_ratio"] for row in rows),
        "memory_growth_mb": growth,
        "rows": rows,
    }


def main() -> None:
    """Run the comparison and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=27.0, help="for the model's own speed, all batch sizes together"
    )
    parser.add_argument("--own-speed-of", metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.own_speed_of:
        print(json.dumps(own_speed(Path(options.own_speed_of), options.seconds)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = write_files(folder, options.few, options.many)
        results = {kind: measure(kind, folder, few, many, options) for kind in options.models}
    about = {"few": options.few, "many": options.many, "rounds": options.rounds}
    print(json.dumps({**about, "threads": torch.get_num_threads(), "torch": torch.__version__, **results}, indent=1))


if __name__ == "__main__":
    main()
