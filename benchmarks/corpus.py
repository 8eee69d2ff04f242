"""Decode every file of a folder, sound or not: each gives an image or an ImageError, and nothing else.

pip download --no-deps --no-binary pillow pillow==13.0.0 && tar xzf pillow-13.0.0.tar.gz
uv run python benchmarks/corpus.py pillow-13.0.0/Tests
"""

from __future__ import annotations

import argparse
import collections
import json
import resource
import sys
import time
from pathlib import Path

from vitrail.core.errors import ImageError
from vitrail.data.bands import channels_of
from vitrail.data.decode import decode


def peak_mb() -> float:
    """Say how much memory this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    """Decode all, print one JSON object; exit code 1 if anything but an ImageError was raised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    kinds: collections.Counter[str] = collections.Counter()
    leaks, slowest, begin = [], (0.0, ""), peak_mb()
    largest = (0.0, "")
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        clock, before = time.perf_counter(), peak_mb()
        try:
            kinds[f"{channels_of(decode(path))} channels"] += 1
        except ImageError:
            kinds["ImageError"] += 1
        except Exception as error:
            leaks.append(f"{path}: {error!r}")
        slowest = max(slowest, (time.perf_counter() - clock, path.name))
        largest = max(largest, (peak_mb() - before, path.name))
    figures = {"files": kinds.total() + len(leaks), **kinds, "other exceptions": leaks, "slowest_s": slowest}
    print(json.dumps({**figures, "largest_growth_mb": largest, "peak_growth_mb": peak_mb() - begin}, indent=2))
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
