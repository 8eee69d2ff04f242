"""Time the loading of a ViT-L/16 from its model file, against safetensors' own reader and one sha256 over the file.

uv run python benchmarks/load_time.py
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from safetensors.torch import load_file

import vitrail
from vitrail.models.variants import variant_fields
from vitrail.weights.model_file import ModelRecord, load_model, save_model


def peak_mb() -> float:
    """Say how much memory this process has held at most, mapped files included (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def measure(which: str, path: Path) -> dict[str, float]:
    """Load once, in a process that has done nothing else."""
    before, clock = peak_mb(), time.perf_counter()
    if which == "vitrail":
        held = load_model(path)
    else:
        held = load_file(path)
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")
    seconds = time.perf_counter() - clock
    assert held
    return {"seconds": seconds, "peak_mb": peak_mb() - before}


def main() -> int:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--one", nargs=2, metavar=("WHICH", "FILE"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one[0], Path(options.one[1]))))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        config = vitrail.ViTConfig.of(**variant_fields("L/16"))
        classes = tuple(map(str, range(1000)))
        save_model(path, vitrail.VisionTransformer(config), ModelRecord(config, classes, vitrail.ImageSpec()))
        rows: dict[str, list[dict[str, float]]] = {"reference": [], "vitrail": []}
        for _ in range(options.repeats):
            for which, found in rows.items():
                command = [sys.executable, __file__, "--one", which, str(path)]
                found.append(json.loads(subprocess.run(command, check=True, capture_output=True).stdout))
        size = path.stat().st_size / 2**20
    seconds = {which: sorted(row["seconds"] for row in found) for which, found in rows.items()}
    ratios = sorted(
        ours["seconds"] / reference["seconds"]
        for ours, reference in zip(rows["vitrail"], rows["reference"], strict=True)
    )
    middle = options.repeats // 2
    print(
        json.dumps(
            {
                "file_mb": size,
                "seconds": {which: found[middle] for which, found in seconds.items()},
                "ratio": [ratios[0], ratios[middle], ratios[-1]],
                "peak_mb": max(row["peak_mb"] for row in rows["vitrail"]),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
