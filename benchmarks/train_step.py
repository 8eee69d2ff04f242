"""Compare one training step (forward, backward, AdamW) with timm's model of the same shape, side by side.

    uv run python benchmarks/train_step.py --rounds 9

Rounds are interleaved in one process for speed (the order alternates); peak memory is measured in a fresh process for
each model, as resident set above what it was after the model was built.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

NAMES = {"S/16": "vit_small_patch16_224", "Ti/16": "vit_tiny_patch16_224", "B/16": "vit_base_patch16_224"}


def build(library: str, name: str, device: str) -> torch.nn.Module:
    """Build the model of one library, in training mode."""
    torch.manual_seed(0)
    if library == "timm":
        import timm

        return timm.create_model(NAMES[name], num_classes=1000).to(device).train()
    import vitrail

    return vitrail.create_model(name, num_classes=1000).to(device).train()


def stepper(library: str, name: str, batch: int, device: str, precision: str) -> Callable[[], None]:
    """Make a function that takes one training step."""
    model = build(library, name, device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, 224, 224, generator=generator).to(device)
    labels = torch.randint(0, 1000, (batch,), generator=generator).to(device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def peak_memory_mb(library: str, name: str, batch: int, device: str, precision: str) -> float:
    """Measure, in a fresh process, how far two steps raise the peak."""
    command = [sys.executable, __file__, "--peak-of", library, "--model", name, "--batch", str(batch)]
    done = subprocess.run(
        [*command, "--device", device, "--precision", precision], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def print_peak(library: str, name: str, batch: int, device: str, precision: str) -> None:
    """Print the rise of the peak, in MB."""
    step = stepper(library, name, batch, device, precision)
    if device == "cuda":
        before = torch.cuda.memory_allocated()
        step(), step()
        print((torch.cuda.max_memory_allocated() - before) / 2**20)
        return
    status = Path("/proc/self/status").read_text()
    before = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
    step(), step()
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    """Run the comparison and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="S/16", choices=NAMES)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=1, help="steps a round")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--peak-of", choices=("vitrail", "timm"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak_of:
        print_peak(options.peak_of, options.model, options.batch, options.device, options.precision)
        return
    shape = (options.model, options.batch, options.device, options.precision)
    steps = {library: stepper(library, *shape) for library in ("vitrail", "timm")}
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {library: [] for library in steps}
    for number in range(options.rounds):
        for library in sorted(steps, reverse=bool(number % 2)):
            clock = time.perf_counter()
            for _ in range(options.steps):
                steps[library]()
            times[library].append((time.perf_counter() - clock) / options.steps)
        print(f"round {number + 1}: " + ", ".join(f"{one} {times[one][-1]:.3f} s" for one in times), file=sys.stderr)
    ratios = sorted(theirs / ours for ours, theirs in zip(times["vitrail"], times["timm"], strict=True))
    peaks = {library: [peak_memory_mb(library, *shape) for _ in range(3)] for library in steps}
    print(
        json.dumps(
            {
                "model": options.model,
                "batch": options.batch,
                "device": options.device,
                "precision": options.precision,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "rounds": options.rounds,
                "median_seconds": {library: statistics.median(values) for library, values in times.items()},
                "speed_ratio_median": statistics.median(ratios),
                "speed_ratio_range": [ratios[0], ratios[-1]],
                "peak_mb": peaks,
                "peak_ratio": statistics.median(peaks["vitrail"]) / statistics.median(peaks["timm"]),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
