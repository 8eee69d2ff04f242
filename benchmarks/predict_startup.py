"""Measure `vitrail predict` on one image against `import torch` and one forward pass of the same model.

    uv run python benchmarks/predict_startup.py --rounds 9

Each is a fresh process, timed as a whole from outside; a round runs each once, the order alternates, and the first
round does not count. The forward pass is PyTorch's own encoder of the model's shape with one layer's weights for all,
so that nothing of vitrail helps or hinders it. The model file has random weights.
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
import torch
from PIL import Image

import vitrail
from vitrail.weights.model_file import ModelRecord, save_model

MODELS = {"micro": ("vit_micro_conv_patch4_28", 28), "tiny": ("Ti/16", 96), "small": ("S/16", 224)}

FORWARD = """
import torch
layer = torch.nn.TransformerEncoderLayer({dim}, {heads}, {hidden}, activation="gelu", batch_first=True, norm_first=True)
model = torch.nn.Sequential(*[layer] * {depth}).eval()
with torch.inference_mode():
    model(torch.randn(1, {tokens}, {dim}))
"""
"""The least that could be done: torch, and as much arithmetic on as many tokens, without stem, weight file or image."""


def write_model(folder: Path, kind: str) -> tuple[Path, str]:
    """Write a model file with random weights; give it, and the program to compare with."""
    variant, size = MODELS[kind]
    torch.manual_seed(0)
    model = vitrail.create_model(variant, img_size=size, in_chans=3, num_classes=10)
    path = folder / f"{kind}.safetensors"
    spec = vitrail.ImageSpec((size, size))
    save_model(path, model, ModelRecord(model.config, tuple(map(str, range(10))), spec))
    config = model.config
    hidden = int(config.embed_dim * config.block.mlp_ratio)
    shape = {"dim": config.embed_dim, "heads": config.block.num_heads, "hidden": hidden, "depth": config.depth}
    return path, FORWARD.format(**shape, tokens=config.num_tokens)


def seconds(command: list[str]) -> float:
    """Time a fresh process."""
    clock = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - clock


def main() -> None:
    """Run the comparison and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        image = folder / "image.png"
        pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(image)
        for kind in options.models:
            model, program = write_model(folder, kind)
            commands = {
                "import": [sys.executable, "-c", "import torch"],
                "forward": [sys.executable, "-c", program],
                "predict": [sys.executable, "-m", "vitrail", "predict", str(model), str(image), "--device", "cpu"],
            }
            times: dict[str, list[float]] = {one: [] for one in commands}
            for number in range(options.rounds + 1):
                for one in reversed(commands) if number % 2 else commands:
                    taken = seconds(commands[one])
                    if number:  # the first round fills the caches
                        times[one].append(taken)
                print(f"{kind} round {number}", {one: values[-1:] for one, values in times.items()}, file=sys.stderr)
            ratios = sorted(ours / least for ours, least in zip(times["predict"], times["forward"], strict=True))
            medians = {one: statistics.median(values) for one, values in times.items()}
            results[kind] = {
                "variant": MODELS[kind][0],
                "median_seconds": medians,
                "ratio_of_medians": medians["predict"] / medians["forward"],
                "ratio_range": [ratios[0], ratios[-1]],
                "seconds": times,
            }
    about = {"rounds": options.rounds, "threads": torch.get_num_threads(), "torch": torch.__version__}
    print(json.dumps({**about, **results}, indent=1))


if __name__ == "__main__":
    main()
