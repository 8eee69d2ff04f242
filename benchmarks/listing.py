"""How long a folder of many files takes to be listed, and how much memory its index takes.

    uv run python benchmarks/listing.py --files 100000

Writes small files into a temporary folder, then opens it in a fresh process, three times, without torch. The folder is
in the operating system's cache, as it is for whoever has just copied it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """
import json, resource, sys, time
import numpy
from vitrail.data.sources import open_dataset


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


before, clock = resident(), time.perf_counter()
dataset = open_dataset(sys.argv[1])
seconds = time.perf_counter() - clock
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
assert "torch" not in sys.modules
count = sum(len(samples) for samples in dataset.splits.values())
clock = time.perf_counter()
dataset.fingerprint()
print(json.dumps({
    "files": count, "seconds": seconds, "index_mb": resident() - before, "peak_growth_mb": peak - before,
    "fingerprint_seconds": time.perf_counter() - clock,
}))
"""


def write(root: Path, files: int, classes: int) -> None:
    """Write many files of one byte, with names as long as real ones.

    Args:
        root: where to.
        files: how many.
        classes: over how many folders they are spread.
    """
    for number in range(files):
        folder = root / f"class {number % classes:04d}"
        if number < classes:
            folder.mkdir(parents=True)
        (folder / f"IMG_20240131_{number:08d}_photo.jpg").write_bytes(b"x")


def measure(root: Path) -> dict[str, float]:
    """Open a folder in a fresh process.

    Args:
        root: the folder.

    Returns:
        files, seconds, index_mb (what stays), peak_growth_mb (what was needed at most), fingerprint_seconds.
    """
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(root)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def main() -> None:
    """Write, measure three times, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        write(root, options.files, options.classes)
        runs = [measure(root) for _ in range(options.runs)]
    for run in runs:
        print(json.dumps(run))
    print(json.dumps({"median": {key: statistics.median(run[key] for run in runs) for key in runs[0]}}))


if __name__ == "__main__":
    main()
